"""Adoption: any Minari dataset, written again in our layout with the same values."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, unflatten
from pytupli_registry.errors import EpisodeError, WriteError
from pytupli_registry.storage.columns import FileIdentity, MappedColumns
from pytupli_registry.storage.commit import discard
from pytupli_registry.storage.durable import sync
from pytupli_registry.storage.forms import EncodedFrames, stored_dtypes
from pytupli_registry.storage.hdf5.attributes import plain_seed
from pytupli_registry.storage.hdf5.scan import scan
from pytupli_registry.storage.stamps import Stamps, sha256_of
from pytupli_registry.storage.target import commit_lock
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME
from pytupli_registry.storage.writer import DatasetWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytupli_registry.dataset.metadata import DatasetMetadata

__all__ = ["adopt", "adopt_in_place"]

_OPTIONS = "options"


def adopt(
    source: Path,
    metadata: DatasetMetadata,
    root: Path,
    dataset_id: str,
    cache: Path,
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Write a dataset that others made into a store, in our layout.

    Values, seeds, options, attributes of the episodes and the keys of ``metadata.json`` are kept as they are; JPEG
    frames are copied as the files they are, not encoded again.

    Args:
        source: directory with ``main_data.hdf5``.
        metadata: of the source.
        root: of the store to write to.
        dataset_id: id of the new dataset.
        cache: where verification stamps are kept.
        advance: called with 1 for each episode.

    Returns:
        The data directory of the new dataset.

    Raises:
        FormatError: the source is damaged or unsafe.
        DatasetExists: there is a dataset of that id.
        EpisodeError: an episode breaks the T / T+1 rule.
        WriteError: the disk is full.
    """
    data_path = source / DATA_NAME
    identity = FileIdentity.of(data_path)
    found = scan(data_path, metadata)
    columns = MappedColumns(data_path, found.leaves, found.lengths, identity)
    writer = DatasetWriter.create(
        root,
        dataset_id,
        observation_space=metadata.observation_space,
        action_space=metadata.action_space,
        env_spec=metadata.env_spec,
        extra=metadata.extra,
        jpeg_encoding=metadata.jpeg_encoding,
        dtypes=stored_dtypes(columns.leaves),
        cache=cache,
    )
    try:
        for episode in _episodes(columns, len(found.lengths)):
            writer.add(episode)
            if advance is not None:
                advance(1)
        return writer.finalise()
    except BaseException:
        # The source is still there: half a copy of it is nothing anyone would want to recover.
        writer.close()
        discard(writer.spool)
        raise


def adopt_in_place(
    directory: Path,
    metadata: DatasetMetadata,
    root: Path,
    cache: Path,
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Give a dataset of the store our layout; its metadata stays, and every step leaves a readable dataset.

    Raises:
        FormatError: the dataset is damaged or unsafe.
        EpisodeError: an episode breaks the T / T+1 rule.
        WriteError: the disk is full.
    """
    workplace = root / f".pytupli-adoption.{os.getpid()}"
    before = FileIdentity.of(directory / DATA_NAME)
    try:
        made = adopt(directory, metadata, workplace, metadata.dataset_id, workplace, advance)
        digest, data_path = sha256_of(made / DATA_NAME), directory / DATA_NAME
        with commit_lock(root):  # or episodes that were appended since would be lost
            if FileIdentity.of(data_path) != before:
                raise WriteError(f"{metadata.dataset_id!r} was changed while it was read.", hint="Try again.")
            # The same episodes in another file: between the two steps the old index is stale, which readers notice.
            (made / DATA_NAME).replace(data_path)
            (made / INDEX_NAME).replace(directory / INDEX_NAME)
            sync(directory)
            Stamps(cache).record(data_path, directory / INDEX_NAME, digest)
    except OSError as error:
        raise WriteError(f"{metadata.dataset_id!r} cannot be written: {error}.") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return directory


def _episodes(columns: MappedColumns, count: int) -> Iterator[Episode]:
    for position in range(count):
        values = {path: _value(columns, path, position) for path in columns.leaves}
        present = {path: value for path, value in values.items() if value is not None}
        facts = columns.attributes(position)
        yield Episode(
            observations=unflatten(present, "observations"),
            actions=unflatten(present, "actions"),
            rewards=present[REWARDS],
            terminations=present[TERMINATIONS],
            truncations=present[TRUNCATIONS],
            infos=unflatten(present, "infos") or {},
            episode_id=position,
            seed=plain_seed(facts.pop("seed", None)),
            options=_options(facts) or None,
            metadata={
                name: value
                for name, value in facts.items()
                if name not in {"id", "total_steps"}
                and not name.startswith(_OPTIONS + "/")
                and value is not None
            },
        )


def _value(columns: MappedColumns, path: str, position: int) -> Any:  # noqa: ANN401 - array, texts, frames or None
    if columns.leaves[path].encoding == "jpeg":
        return EncodedFrames(columns.encoded_frames(path, position))
    value = columns.episode_value(path, position)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        raise EpisodeError(
            f"{path} of episode {position} is one value for the whole episode.",
            hint="Infos need a row for the reset and each step. Such a dataset can be read, but not written again.",
        )
    return value


def _options(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the reset options, nested as they were before Minari flattened them."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        outer, *inner = name.split("/")
        if outer != _OPTIONS or not inner or value is None:
            continue
        level = found
        for part in inner[:-1]:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                raise EpisodeError(
                    f"The option {name!r} lies below another option, which no reset can have been given."
                )
        level[inner[-1]] = value
    return found
