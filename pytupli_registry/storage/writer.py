"""Writing datasets: episodes stream to a spool, and a dataset comes into being in one step."""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from pytupli_registry.config import ClientConfig
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.spaces import from_gymnasium, leaf_spaces
from pytupli_registry.errors import EpisodeError, WriteError
from pytupli_registry.references import Reference
from pytupli_registry.storage.commit import finish
from pytupli_registry.storage.facts import attributes_of, to_journal
from pytupli_registry.storage.forms import Form, info_form, required_forms
from pytupli_registry.storage.namespaces import check_new_id
from pytupli_registry.storage.spool import Spool, lock_spool
from pytupli_registry.storage.target import Base, Target, spool_root

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import gymnasium
    import numpy as np

    from pytupli_registry.dataset.episode import Episode

__all__ = ["DatasetWriter"]


class DatasetWriter:
    """Writes one dataset, or appends to one.

    Every episode is on disk when :meth:`add` returns; the dataset appears, complete, when :meth:`finalise` returns.
    As a context manager the writer finalises on normal exit. After an exception, a crash or a full disk the spool
    stays, with every episode that was added, for :func:`~pytupli_registry.storage.commit.recover`.

    Attributes:
        dataset_id: Minari's id of the dataset.
        spool: directory of the spool.
    """

    def __init__(
        self, root: Path, target: Target, forms: Mapping[str, Form], first_episode: int, cache: Path | None
    ) -> None:
        """Start a spool; use :meth:`create` or :meth:`append_to`."""
        self.dataset_id = target.metadata.dataset_id
        self.spool = spool_root(root) / uuid.uuid4().hex
        self._required = dict(forms)
        self._required_forms = tuple(self._required.values())
        self._forms: dict[tuple[Form, ...], tuple[Form, ...]] = {}
        self._next = first_episode
        self._closed = False
        self._cache = ClientConfig.from_environment().cache_path if cache is None else cache
        self._stack = ExitStack()
        try:
            self.spool.mkdir(parents=True)
            self._stack.enter_context(lock_spool(self.spool))
            target.save(self.spool)
            self._writer = Spool(self.spool)
        except OSError as error:
            self._stack.close()
            raise WriteError(f"No spool can be made in {root}: {error}.") from error
        self._stack.callback(self._writer.close)

    @classmethod
    def create(
        cls,
        root: Path | str,
        dataset_id: str,
        *,
        observation_space: gymnasium.Space[Any] | Mapping[str, Any],
        action_space: gymnasium.Space[Any] | Mapping[str, Any],
        env_spec: object | None = None,
        extra: Mapping[str, Any] | None = None,
        jpeg_encoding: bool = False,
        dtypes: Mapping[str, np.dtype[Any]] | None = None,
        cache: Path | None = None,
    ) -> Self:
        """Start a new dataset.

        Args:
            root: of the local store.
            dataset_id: Minari's id.
            observation_space: a Gymnasium space, or Minari's JSON of one.
            action_space: likewise.
            env_spec: the environment, as Gymnasium's ``EnvSpec`` or its JSON text.
            extra: other keys of ``metadata.json`` (author, description, algorithm_name, …).
            jpeg_encoding: keep images as lossy JPEG.
            dtypes: by leaf path, where values are not of their space's dtype; rewards are float64 otherwise.
            cache: where verification stamps are kept; None asks the environment.

        Raises:
            InvalidReference: the id is none, or none that Minari and this store take for a new dataset.
            DatasetExists: there is a dataset of this id.
            SpaceError: a space cannot be kept.
            WriteError: the store cannot be written, or ``extra`` holds what ``metadata.json`` cannot.
        """
        root = Path(root)
        reference = Reference.parse_dataset(dataset_id)
        check_new_id(root, reference.dataset_id)
        spaces = _described(observation_space), _described(action_space)
        metadata = DatasetMetadata(
            dataset_id=reference.dataset_id,
            total_episodes=0,
            total_steps=0,
            observation_space=spaces[0],
            action_space=spaces[1],
            env_spec=_env_spec(env_spec),
            jpeg_encoding=jpeg_encoding,
            extra=_checked(extra or {}),
        )
        forms = required_forms(*spaces, jpeg_encoding=jpeg_encoding, dtypes=dtypes)
        return cls(root, Target(metadata, None), forms, 0, cache)

    @classmethod
    def append_to(cls, root: Path | str, dataset_id: str, *, cache: Path | None = None) -> Self:
        """Start adding episodes to a dataset.

        Args:
            root: of the local store.
            dataset_id: Minari's id.
            cache: where verification stamps are kept; None asks the environment.

        Raises:
            DatasetNotFound: there is none.
            FormatError: its files are damaged.
            WriteError: the store cannot be written.
        """
        root = Path(root)
        cache = ClientConfig.from_environment().cache_path if cache is None else cache
        base = Base.of(root, Reference.parse_dataset(dataset_id).dataset_id, cache)
        metadata = base.metadata
        forms = required_forms(
            metadata.observation_space,
            metadata.action_space,
            jpeg_encoding=metadata.jpeg_encoding,
            dtypes=base.required_dtypes(),
        )
        return cls(root, Target(metadata, base.identity), forms, len(base.index.table), cache)

    def add(self, episode: Episode) -> int:
        """Write one episode and return its number in the dataset; the episode's own ``episode_id`` is not used.

        Raises:
            EpisodeError: it breaks the T / T+1 rule, does not fit its spaces, or holds what cannot be kept.
            WriteError: the disk is full; the episodes added before are safe.
        """
        if self._closed:
            raise WriteError(f"The writer of {self.dataset_id!r} is closed.")
        forms, values = self._encode(episode)
        facts = to_journal(attributes_of(episode))
        try:
            self._writer.append(len(episode), forms, values, facts)
        except OSError as error:
            raise WriteError(
                f"The episode could not be written: {error}.",
                hint=f"The {self._next} before it are kept in the spool {self.spool.name}.",
            ) from error
        self._next += 1
        return self._next - 1

    def finalise(self) -> Path:
        """Make the dataset out of what was added; return its data directory.

        Raises:
            DatasetExists: another writer was faster.
            WriteError: nothing was added, the dataset to append to has changed meanwhile, or the disk is full.
                The spool stays.
        """
        if self._closed:
            raise WriteError(f"The writer of {self.dataset_id!r} is closed.")
        self._closed = True
        with self._stack:
            return finish(self.spool, self._cache)

    def close(self) -> None:
        """Let go of the spool without finalising; it can be recovered or discarded."""
        self._closed = True
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            if not self._closed:
                self.finalise()
            return
        self.close()
        error.add_note(
            f"Episodes added so far are safe: `pytupli recover {self.spool.name}` makes a dataset of them."
        )

    def _encode(self, episode: Episode) -> tuple[tuple[Form, ...], list[Any]]:
        leaves, steps, values = episode.leaves(), len(episode), []
        for path, given in leaves.items():
            shape = getattr(given, "shape", None)
            rows = len(given) if shape is None and hasattr(given, "__len__") else (shape or (None,))[0]
            if steps == 0 or rows != steps + (path.startswith(("observations", "infos"))):
                episode.check()
        for path, form in self._required.items():
            if path not in leaves:
                raise EpisodeError(f"The episode has no {path!r}, which its space asks for.")
            values.append(form.encode(leaves.pop(path)))
        if not leaves:
            return self._required_forms, values
        infos = []
        for path, given in leaves.items():
            if not path.startswith("infos/"):
                raise EpisodeError(f"The episode has {path!r}, which its space does not know.")
            form = info_form(path, given)
            infos.append(form)
            values.append(form.encode(given))
        forms = (*self._required_forms, *infos)
        return self._forms.setdefault(forms, forms), values


def _checked(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``metadata.json`` can hold beside the facts that follow from the data."""
    for name in sorted(extra.keys() & {field.name for field in fields(DatasetMetadata)}):
        raise WriteError(f"extra cannot hold {name!r}: the dataset says that itself.")
    try:
        json.dumps(dict(extra))
    except (TypeError, ValueError) as error:
        raise WriteError(
            f"extra cannot be kept as JSON: {error}.", hint="Use texts, numbers and lists."
        ) from error
    return dict(extra)


def _described(space: gymnasium.Space[Any] | Mapping[str, Any]) -> dict[str, Any]:
    # A Gymnasium Dict space is a Mapping too, and may have a key "type".
    described = space if isinstance(space, dict) else from_gymnasium(cast("gymnasium.Space[Any]", space))
    leaf_spaces(described, "space")
    return described


def _env_spec(given: object | None) -> str | None:
    if given is None or isinstance(given, str):
        return given
    to_json = getattr(given, "to_json", None)
    if to_json is None:
        raise TypeError(f"an EnvSpec or its JSON text is needed, not {type(given).__name__}")
    return str(to_json())
