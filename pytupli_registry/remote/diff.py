"""What tells two datasets, or two revisions of one, apart: by their indexes and metadata, without their data."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.table import FIXED_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytupli_registry.dataset.dataset import Dataset, Description
    from pytupli_registry.filters.source import FieldValues

__all__ = ["ChangedEpisode", "DatasetDiff", "diff_datasets"]

Pairs = list[tuple[int, int]]

# They follow from the episodes, which are compared themselves.
_COUNTS = frozenset({"total_episodes", "total_steps", "dataset_size"})


@dataclass(frozen=True, slots=True)
class ChangedEpisode:
    """An episode that is in both, not quite the same.

    Attributes:
        before: its id in the first dataset.
        after: its id in the second one.
        leaves: those whose values differ.
        facts: those that differ: ``seed``, ``options.mass``, ``metadata.month``.
    """

    before: int
    after: int
    leaves: tuple[str, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What tells two datasets apart.

    Attributes:
        before: the first dataset and what its numbers are.
        after: the second one.
        unchanged: number of episodes that are the same in both, under whatever id.
        moved: ids before and after of those of them that have another id.
        added: ids, in the second dataset, of episodes that the first one does not have.
        removed: ids, in the first dataset, of episodes that the second one does not have.
        changed: episodes that are in both but differ.
        leaves: leaves that only one has, or that have another dtype or shape, with what each says.
        uncompared: leaves of no fixed shape, of which an index has no checksums.
        metadata: keys of ``metadata.json`` that differ, with both values; None where there is none.
    """

    before: Description
    after: Description
    unchanged: int
    moved: tuple[tuple[int, int], ...]
    added: tuple[int, ...]
    removed: tuple[int, ...]
    changed: tuple[ChangedEpisode, ...]
    leaves: Mapping[str, tuple[str | None, str | None]]
    uncompared: tuple[str, ...]
    metadata: Mapping[str, tuple[Any, Any]]

    @property
    def is_same(self) -> bool:
        """Whether nothing tells them apart."""
        return not (self.added or self.removed or self.changed or self.moved or self.leaves or self.metadata)


def diff_datasets(before: Dataset, after: Dataset) -> DatasetDiff:
    """Compare the episodes that two datasets keep, by checksums and facts.

    Episodes are the same if all values of all leaves are, whatever their ids; those left over belong together if
    their observations are the same, or else their actions, or else their ids.
    """
    leaves, uncompared, other_leaves = _leaves(before, after)
    pairs, added, removed = _pairs(_Keys(before, leaves), _Keys(after, leaves))
    changed = _changed(before, after, leaves, pairs)
    touched = {(episode.before, episode.after) for episode in changed}
    ids = [(int(before.positions[first]), int(after.positions[second])) for first, second in pairs]
    same = [pair for pair in ids if pair not in touched]
    return DatasetDiff(
        before=before.describe(),
        after=after.describe(),
        unchanged=len(same),
        moved=tuple((first, second) for first, second in same if first != second),
        added=tuple(int(after.positions[second]) for second in added),
        removed=tuple(int(before.positions[first]) for first in removed),
        changed=tuple(changed),
        leaves=other_leaves,
        uncompared=tuple(uncompared),
        metadata=_metadata(before, after),
    )


def _leaves(
    before: Dataset, after: Dataset
) -> tuple[list[str], list[str], dict[str, tuple[str | None, str | None]]]:
    """Return the leaves to compare, those that cannot be, and those that are not the same kind in both."""
    shown = before.describe().leaves, after.describe().leaves
    differing = {
        path: (shown[0].get(path), shown[1].get(path))
        for path in sorted({*shown[0], *shown[1]})
        if shown[0].get(path) != shown[1].get(path)
    }
    common = [path for path in sorted(before.leaves) if path in after.leaves and path not in differing]
    summed = [path for path in common if path in before.table.checksums and path in after.table.checksums]
    return summed, [path for path in common if path not in summed], differing


class _Keys:
    """Checksums of the kept episodes of a dataset, as bytes to look up by.

    Args:
        dataset: the dataset.
        leaves: what is compared.
    """

    def __init__(self, dataset: Dataset, leaves: Sequence[str]) -> None:
        self.count = len(dataset.positions)
        lengths = dataset.table.lengths[dataset.positions].astype(np.int64)
        sums = {path: dataset.table.checksums[path][dataset.positions] for path in leaves}
        self._lengths, self._sums = lengths, sums

    def of(self, root: str | None) -> list[bytes] | None:
        """Return a key an episode of its length and the leaves below a root (None: all); None without such leaves."""
        chosen = [sums for path, sums in self._sums.items() if root in (None, path.split("/", 1)[0])]
        if not chosen and root is not None:
            return None
        columns = np.column_stack([self._lengths, *(sums.astype(np.int64) for sums in chosen)])
        rows = np.ascontiguousarray(columns)
        return [row.tobytes() for row in rows]


def _pairs(before: _Keys, after: _Keys) -> tuple[Pairs, list[int], list[int]]:
    """Return which episodes belong together, and those of the second and of the first one that are left over."""
    open_before, open_after = dict.fromkeys(range(before.count)), dict.fromkeys(range(after.count))
    pairs: Pairs = []

    def settle(found: Pairs) -> None:
        for first, second in found:
            del open_before[first], open_after[second]
        pairs.extend(found)

    for root in (None, "observations", "actions"):
        if not (open_before and open_after):
            break
        keys = before.of(root), after.of(root)
        if keys[0] is None or keys[1] is None:
            continue
        # Those that have kept their place first: of equal episodes, none has moved then.
        settle([(at, at) for at in open_before if at in open_after and keys[0][at] == keys[1][at]])
        settle(_alike(keys[0], keys[1], open_before, open_after))
    settle([(at, at) for at in open_before if at in open_after])
    return sorted(pairs), list(open_after), list(open_before)


def _alike(
    first: list[bytes], second: list[bytes], open_first: Mapping[int, None], open_second: Mapping[int, None]
) -> Pairs:
    waiting: dict[bytes, list[int]] = defaultdict(list)
    for at in reversed(list(open_second)):
        waiting[second[at]].append(at)
    return [(at, waiting[first[at]].pop()) for at in open_first if waiting.get(first[at])]


def _changed(before: Dataset, after: Dataset, leaves: Sequence[str], pairs: Pairs) -> list[ChangedEpisode]:
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    first, second = before.positions[rows[:, 0]], after.positions[rows[:, 1]]
    differing = {
        path: before.table.checksums[path][first] != after.table.checksums[path][second] for path in leaves
    }
    facts = {
        name: _unequal(before.fields.get(name), after.fields.get(name), first, second)
        for name in sorted({*before.fields, *after.fields} - set(FIXED_FIELDS))
    }
    lengths = before.table.lengths[first] != after.table.lengths[second]
    any_of = np.logical_or.reduce([lengths, *differing.values(), *facts.values()])
    return [
        ChangedEpisode(
            int(first[at]),
            int(second[at]),
            tuple(path for path, unequal in differing.items() if unequal[at]),
            tuple(name for name, unequal in facts.items() if unequal[at]),
        )
        for at in np.flatnonzero(any_of).tolist()
    ]


def _unequal(
    before: FieldValues | None,
    after: FieldValues | None,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.bool_]:
    one, one_missing = _values(before, first)
    other, other_missing = _values(after, second)
    equal = np.array([a == b or (a != a and b != b) for a, b in zip(one, other, strict=True)], dtype=np.bool_)
    return np.where(one_missing | other_missing, one_missing != other_missing, ~equal)


def _values(field: FieldValues | None, positions: NDArray[np.int64]) -> tuple[list[Any], NDArray[np.bool_]]:
    if field is None:
        return [None] * len(positions), np.ones(len(positions), dtype=np.bool_)
    missing = np.zeros(len(positions), dtype=np.bool_) if field.missing is None else field.missing[positions]
    return field.values[positions].tolist(), missing


def _metadata(before: Dataset, after: Dataset) -> dict[str, tuple[Any, Any]]:
    one, other = json.loads(before.metadata.to_json()), json.loads(after.metadata.to_json())
    # Minari keeps spaces as text in the JSON, which may be spelled in several ways.
    for said, metadata in ((one, before.metadata), (other, after.metadata)):
        said.update(observation_space=metadata.observation_space, action_space=metadata.action_space)
    return {
        key: (one.get(key), other.get(key))
        for key in sorted({*one, *other} - _COUNTS)
        if one.get(key) != other.get(key)
    }
