"""Where the numbers of a dataset come from: one array a leaf, all episodes after one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.errors import EpisodeError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytupli_registry.dataset.episode import Episode

__all__ = ["ArrayColumns", "Columns"]


class Columns(Protocol):
    """The leaves of every episode, in the order of the episode table."""

    @property
    def leaves(self) -> Mapping[str, Leaf]:
        """Every leaf by path, in the order of the file."""

    def require(self, paths: Iterable[str], positions: NDArray[np.int64]) -> None:
        """Make some leaves of some episodes ready to be read, together: remote ones come over the network now.

        Nothing needs to be required before it is read; to name all that is read next saves requests.

        Args:
            paths: of the leaves.
            positions: of the episodes, in any order, perhaps several times.  # (n,)

        Raises:
            KeyError: there is no such leaf.
            HubError: they are on a Hub that cannot be reached, or refuses.
        """

    def array(self, path: str, positions: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return all rows of an ``array`` leaf, read-only, without a copy where the bytes lie together.

        Rows follow the layout of :class:`~pytupli_registry.filters.source.FilterSource`.  # (rows, *row_shape)

        Args:
            path: of the leaf.
            positions: of the episodes whose rows will be read; rows of others may hold anything. None reads all.

        Raises:
            KeyError: there is no such leaf.
            SpaceError: the leaf has no fixed shape.
        """

    def episode_value(self, path: str, position: int) -> Any:  # noqa: ANN401 - array, list of str, or None
        """Return one leaf of the episode at ``position``.

        An array ``(T or T+1, *row_shape)`` for ``array`` and ``jpeg`` leaves, a list of str for ``text``, and for
        ``irregular`` what the episode holds: an array, a list of str, or None where it has no such leaf.
        """

    def array_facts(self, position: int) -> Mapping[str, NDArray[Any]]:
        """Return the facts about an episode that are arrays, by field name; the table has them as JSON text."""


class ArrayColumns:
    """Columns held in memory."""

    __slots__ = ("_irregular", "_leaves", "_stops", "_values")

    def __init__(self, episodes: Sequence[Episode]) -> None:
        """Concatenate the leaves of the episodes.

        Raises:
            EpisodeError: there is no episode, or one breaks the T / T+1 rule.
            SpaceError: leaves of observations or actions differ in shape or dtype between episodes.
        """
        if not episodes:
            raise EpisodeError("A dataset needs at least one episode.")
        for episode in episodes:
            episode.check()
        found = [episode.leaves() for episode in episodes]
        paths = dict.fromkeys(path for leaves in found for path in leaves)
        self._leaves: dict[str, Leaf] = {}
        self._values: dict[str, NDArray[Any]] = {}
        self._irregular: dict[str, list[Any]] = {}
        lengths = np.array([len(episode) for episode in episodes], dtype=np.int64)
        self._stops = np.cumsum(lengths)
        for path in paths:
            self._add(path, [leaves.get(path) for leaves in found])

    @property
    def leaves(self) -> Mapping[str, Leaf]:
        """Every leaf by path."""
        return self._leaves

    def require(self, paths: Iterable[str], positions: NDArray[np.int64]) -> None:
        """Do nothing: everything is in memory."""

    def array(self, path: str, positions: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return all rows of a leaf of fixed shape."""
        del positions
        if path in self._irregular:
            raise SpaceError(f"{path} has no fixed shape and is no array.")
        return self._values[path]

    def episode_value(self, path: str, position: int) -> Any:  # noqa: ANN401
        """Return one leaf of one episode."""
        if path in self._irregular:
            return self._irregular[path][position]
        leaf = self._leaves[path]
        start = int(self._stops[position - 1]) if position else 0
        shift = position * leaf.extra_row
        return self._values[path][start + shift : int(self._stops[position]) + shift + leaf.extra_row]

    def array_facts(self, position: int) -> Mapping[str, NDArray[Any]]:
        """Return nothing: episodes in memory are turned into a table with facts as text."""
        del position
        return {}

    def _add(self, path: str, values: list[Any]) -> None:
        root = path.split("/", 1)[0]
        extra_row: Any = 1 if root in {"observations", "infos"} else 0
        if any(isinstance(value, list) for value in values) or any(value is None for value in values):
            text = all(isinstance(value, list) for value in values)
            self._leaves[path] = Leaf(path, None, (), extra_row, "text" if text else "irregular")
            self._irregular[path] = values
            return
        arrays = [np.asarray(value) for value in values]
        kinds = {(array.dtype, array.shape[1:]) for array in arrays}
        if len(kinds) > 1:
            if root != "infos":
                raise SpaceError(
                    f"{path} changes its shape or dtype between episodes: {sorted(map(str, kinds))}."
                )
            self._leaves[path] = Leaf(path, None, (), extra_row, "irregular")
            self._irregular[path] = list(arrays)
            return
        joined = np.concatenate(arrays)
        joined.flags.writeable = False
        self._leaves[path] = Leaf(path, joined.dtype, joined.shape[1:], extra_row)
        self._values[path] = joined
