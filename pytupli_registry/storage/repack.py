"""Making a dataset that has been appended to one extent a column again."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import EpisodeError, WriteError
from pytupli_registry.references import Reference
from pytupli_registry.storage.columns import MappedColumns
from pytupli_registry.storage.commit import finish
from pytupli_registry.storage.facts import to_journal
from pytupli_registry.storage.forms import EncodedFrames, Form, info_form
from pytupli_registry.storage.hdf5.attribute_values import normalise
from pytupli_registry.storage.spool import Spool, lock_spool
from pytupli_registry.storage.target import Base, Target, spool_root
from pytupli_registry.storage.trust import DATA_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.dataset.leaves import Leaf

__all__ = ["repack"]


def repack(root: Path, dataset_id: str, cache: Path | None = None) -> Path:
    """Rewrite a dataset so that every column is one piece of the file; values and attributes stay as they are.

    Args:
        root: of the local store.
        dataset_id: Minari's id.
        cache: where verification stamps are kept; None asks the environment.

    Returns:
        The data directory.

    Raises:
        DatasetNotFound: there is no such dataset.
        FormatError: its files are damaged.
        EpisodeError: it holds what can be read but not written.
        WriteError: it was changed meanwhile, or the disk is full; the dataset is as it was.
    """
    cache = ClientConfig.from_environment().cache_path if cache is None else cache
    base = Base.of(root, Reference.parse_dataset(dataset_id).dataset_id, cache)
    spool = spool_root(root) / uuid.uuid4().hex
    try:
        spool.mkdir(parents=True)
        with lock_spool(spool):
            Target(base.metadata, base.identity, rewrite=True).save(spool)
            with closing(Spool(spool)) as writer:
                _copy_episodes(base, writer)
            return finish(spool, cache)
    except OSError as error:
        raise WriteError(f"{dataset_id!r} cannot be rewritten: {error}.") from error


def _copy_episodes(base: Base, spool: Spool) -> None:
    lengths = base.index.table.lengths
    columns = MappedColumns(base.directory / DATA_NAME, base.index.leaves, lengths)
    known: dict[tuple[Form, ...], tuple[Form, ...]] = {}
    for position, length in enumerate(lengths.tolist()):
        forms, values = [], []
        for path, leaf in columns.leaves.items():
            given = _value(columns, leaf, position)
            if given is not None:
                forms.append(_form(leaf, given))
                values.append(_encode(forms[-1], given, path, length))
        attributes = {
            name: normalise(name, value)
            for name, value in columns.attributes(position).items()
            if name not in {"id", "total_steps"} and value is not None
        }
        spool.append(length, known.setdefault(tuple(forms), tuple(forms)), values, to_journal(attributes))


def _value(columns: MappedColumns, leaf: Leaf, position: int) -> Any:  # noqa: ANN401 - what an episode holds
    if leaf.encoding == "jpeg":
        return EncodedFrames(columns.encoded_frames(leaf.path, position))
    return columns.episode_value(leaf.path, position)


def _form(leaf: Leaf, given: Any) -> Form:  # noqa: ANN401
    if leaf.encoding == "irregular":
        return info_form(leaf.path, given)
    return Form(leaf.path, leaf.dtype, leaf.row_shape, leaf.encoding)


def _encode(form: Form, given: Any, path: str, length: int) -> memoryview | bytes:  # noqa: ANN401
    if isinstance(given, np.ndarray) and given.shape[:1] != (length + form.extra_row,):
        raise EpisodeError(
            f"{path} has the shape {given.shape} in an episode of {length} steps.",
            hint="Such a dataset can be read, but not written again.",
        )
    return form.encode(given)
