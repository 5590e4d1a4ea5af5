"""A ``MinariStorage`` that reads from the columns of a PyTupli dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from minari.dataset.minari_storage import MinariStorage

from pytupli_minari.environment import harmless
from pytupli_minari.spans import Spans
from pytupli_registry.dataset.ahead import ReadAhead
from pytupli_registry.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import NoReturn

    import gymnasium
    from numpy.typing import ArrayLike

    from pytupli_registry import Dataset

__all__ = ["PytupliStorage", "StorageDirectory", "StorageText"]

_FACTS = ("seed", "recorded_at", "recorded_by", "policy")
_SETS = ("author", "author_email")  # lists in the file, sets in Minari
_SPEC_KEYS = ("env_spec", "eval_env_spec")


class PytupliStorage(MinariStorage):  # type: ignore[misc]  # Minari has no types
    """Episodes of a filtered dataset, numbered from 0, as Minari's storages give them out.

    The storage holds exactly the episodes (or, under a step filter, the runs of steps) that the filters keep, as if
    they had been saved as a dataset of their own. Arrays are copies: writing into them changes nothing else.
    It is read-only.
    """

    FORMAT = "hdf5"  # what `minari.combine_datasets` writes from it

    def __init__(self, dataset: Dataset, spans: Spans | None = None) -> None:
        """Show a dataset's episodes.

        Args:
            dataset: where the columns are.
            spans: the episodes to show; the dataset's own by default.

        Raises:
            SpaceError: a space cannot be built.
            AdapterError: the environment's specification is malformed.
        """
        super().__init__(Path(dataset.source), dataset.observation_space, dataset.action_space)
        self._jpeg_encoding = dataset.metadata.jpeg_encoding  # an argument since Minari 0.5.4
        self.dataset = dataset
        self.spans = Spans.of(dataset) if spans is None else spans
        self._is_whole = self.spans.covers(dataset)
        self._has_runs = dataset.step_mask is not None
        self._ahead = ReadAhead(dataset.reader, dataset.leaves, np.unique(self.spans.positions))
        self._info_paths = [path for path in dataset.leaves if path.startswith("infos/")]
        extra = dataset.metadata.extra
        stored = {"env_spec": dataset.metadata.env_spec, **{key: extra.get(key) for key in _SPEC_KEYS[1:]}}
        self._specs = {key: harmless(text, key) for key, text in stored.items() if text is not None}

    def narrowed(self, indices: ArrayLike) -> PytupliStorage:
        """Return a storage of the episodes at these indices, numbered from 0 again."""
        return PytupliStorage(self.dataset, self.spans.take(indices))

    @property
    def data_path(self) -> Path:
        """Directory of the whole stored dataset; Minari's ``split_dataset`` finds this storage through it."""
        return StorageDirectory.of(self, self._data_path)

    @property
    def metadata(self) -> dict[str, Any]:
        """What Minari keeps in ``metadata.json``, with the counts of this storage and spaces as objects."""
        facts = self.dataset.metadata
        found: dict[str, Any] = {
            **facts.extra,
            "total_episodes": self.total_episodes,
            "total_steps": self.total_steps,
            "data_format": facts.data_format,
            "jpeg_encoding": facts.jpeg_encoding,
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "dataset_id": facts.dataset_id,
            "minari_version": facts.minari_version,
            **self._specs,
        }
        found.update({key: set(found[key]) for key in _SETS if isinstance(found.get(key), list)})
        return found

    @property
    def total_episodes(self) -> int:
        """Number of episodes in this storage."""
        return len(self.spans)

    @property
    def total_steps(self) -> int:
        """Number of steps in this storage."""
        return int(self.spans.lengths.sum())

    def get_episodes(self, episode_indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the episodes as the keyword arguments of Minari's ``EpisodeData``.

        Raises:
            KeyError: there is no episode of that number.
        """
        return (self._episode(index) for index in episode_indices)

    def get_episode_metadata(self, episode_indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield id, number of steps, seed, options and the user's metadata of episodes.

        Where filters chose the episodes, ``source_episode`` is the id in the stored dataset; under a step filter,
        ``source_step`` is the step the run starts with. A run that starts later has neither seed nor options: a reset
        with them would not lead to its first observation.

        Raises:
            KeyError: there is no episode of that number.
        """
        return (self._episode_metadata(index) for index in episode_indices)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        """Refuse to write: the storage is a view of a stored dataset.

        Raises:
            WriteError: always.
        """
        raise WriteError(
            f"The Minari view of {self.dataset.metadata.dataset_id!r} is read-only.",
            hint="Add episodes with pytupli_registry.append, or make a new dataset with minari.combine_datasets.",
        )

    update_metadata = update_episode_metadata = update_episodes = update_from_storage = _refuse

    @classmethod
    def _create(cls, *_: object, **__: object) -> NoReturn:
        raise WriteError(
            "A PytupliStorage shows a dataset that exists; it cannot create one.",
            hint="Record one with pytupli_registry.Recorder, or with Minari's own MinariStorage.new.",
        )

    def _span(self, index: int) -> tuple[int, int, int]:
        if not 0 <= index < len(self.spans):
            raise KeyError(f"episode_{index}")
        return self.spans[index]

    def _episode(self, index: int) -> dict[str, Any]:
        position, first, length = self._span(index)
        self._ahead.need_one(position)
        episode: dict[str, Any] = {"id": index}
        for root, space in (("observations", self.observation_space), ("actions", self.action_space)):
            episode[root] = self._decode(space, root, position, first, length)
        for root in ("rewards", "terminations", "truncations"):
            episode[root] = self._rows(root, position, first, length)
        if length < self.dataset.lengths[position]:
            episode["truncations"][-1] |= not episode["terminations"][-1]
        episode["infos"] = self._infos(position, first, length)
        return episode

    def _decode(self, space: gymnasium.Space[Any], path: str, position: int, first: int, length: int) -> Any:  # noqa: ANN401 - a tree of arrays and lists
        if isinstance(space, spaces.Dict):
            return {
                key: self._decode(part, f"{path}/{key}", position, first, length)
                for key, part in space.spaces.items()
            }
        if isinstance(space, spaces.Tuple):
            return tuple(
                self._decode(part, f"{path}/_index_{place}", position, first, length)
                for place, part in enumerate(space.spaces)
            )
        return self._rows(path, position, first, length)

    def _rows(self, path: str, position: int, first: int, length: int) -> Any:  # noqa: ANN401 - array, list or None
        value = self.dataset.reader.episode_value(path, position)
        total, extra_row = int(self.dataset.lengths[position]), self.dataset.leaves[path].extra_row
        if length < total and np.ndim(value) > 0 and len(value) == total + extra_row:
            value = value[first : first + length + extra_row]
        return np.array(value) if isinstance(value, np.ndarray) and value.ndim else value

    def _infos(self, position: int, first: int, length: int) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        for path in self._info_paths:
            value = self._rows(path, position, first, length)
            if value is not None:
                _insert(infos, path.split("/")[1:], _as_minari_info(value))
        return infos

    def _episode_metadata(self, index: int) -> dict[str, Any]:
        position, first, length = self._span(index)
        found: dict[str, Any] = {"id": index, "total_steps": length}
        for name in self.dataset.fields:
            value = self._fact(name, position)
            if value is not None and not (first > 0 and _belongs_to_reset(name)):
                _insert(found, _attribute_parts(name), value)
        if not self._is_whole:
            found["source_episode"] = self._fact("episode_id", position)
        if self._has_runs:
            found["source_step"] = first
        return found

    def _fact(self, name: str, position: int) -> Any:  # noqa: ANN401 - bool, int, float, str or None
        column = self.dataset.fields[name]
        if column.missing is not None and column.missing[position]:
            return None
        value = column.values[position]
        return value.item() if isinstance(value, np.generic) else value


class StorageText(PytupliStorage, str):  # noqa: SLOT000 - a storage keeps its state in __dict__
    """The text of a data path that is the storage behind it, too.

    ``minari.split_dataset`` builds its parts as ``MinariDataset(dataset.spec.data_path, indices)``. A plain path
    would lead to the stored file, in which the numbers of filtered episodes mean others and runs of steps do not
    exist; ``MinariDataset`` takes a storage just as well, and asks first whether it got one.
    """

    def __init__(self, *_: object) -> None:
        # Made by `of`; but `str(directory)` initialises what `directory.__str__` returns, as `str` always does.
        pass

    @classmethod
    def of(cls, storage: PytupliStorage, text: str) -> StorageText:
        """Return a storage of the same episodes that compares, hashes and prints as ``text``."""
        made = str.__new__(cls, text)
        made.__dict__.update(storage.__dict__)
        return made


class StorageDirectory(type(Path())):  # type: ignore[misc]  # PosixPath or WindowsPath, whichever it is here
    """The directory of a stored dataset; its text leads back to the storage, see :class:`StorageText`."""

    storage: PytupliStorage | None = None

    @classmethod
    def of(cls, storage: PytupliStorage, path: Path) -> StorageDirectory:
        """Return the path with the storage attached; paths derived from it are ordinary ones."""
        made = cls(path)
        made.storage = storage
        return made

    def __str__(self) -> str:
        text: str = super().__str__()
        return text if self.storage is None else StorageText.of(self.storage, text)


def _belongs_to_reset(field: str) -> bool:
    return field == "seed" or field.startswith("options.")


def _attribute_parts(field: str) -> list[str]:
    """Return where Minari shows an episode field: its attribute's name, cut at ``/``; nowhere for derived ones."""
    if field.startswith("options."):
        return field.split(".")  # `options/wind/speed` is kept in the field `options.wind.speed`
    if field.startswith("metadata."):
        return field.removeprefix("metadata.").split("/")
    return [field] if field in _FACTS else []


def _insert(tree: dict[str, Any], parts: list[str], value: object) -> None:
    if not parts:
        return
    for part in parts[:-1]:
        tree = tree.setdefault(part, {})
    tree[parts[-1]] = value


def _as_minari_info(value: object) -> object:
    """Return an info as h5py gives it to Minari: texts are an object array of bytes."""
    if not isinstance(value, list):
        return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    texts = np.empty(len(value), dtype=object)
    texts[:] = [text.encode() if isinstance(text, str) else text for text in value]
    return texts
