"""With how many equal episodes two datasets begin, by their indexes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry.dataset.table import EpisodeTable
    from pytupli_registry.filters.source import FieldValues

__all__ = ["shared_episodes"]


def shared_episodes(first: EpisodeTable, second: EpisodeTable) -> int:
    """Return how many episodes at the beginning of two datasets have the same values, seeds and facts.

    Values are compared by their checksums; where an index has none of a leaf, nothing counts as the same.
    """
    count = min(len(first), len(second))
    if not first.checksums or first.checksums.keys() != second.checksums.keys():
        return 0
    same = first.lengths[:count] == second.lengths[:count]
    for path, sums in first.checksums.items():
        same &= sums[:count] == second.checksums[path][:count]
    for name in first.fields.keys() | second.fields.keys():
        same &= _same_field(first.fields.get(name), second.fields.get(name), count)
    return count if same.all() else int(np.argmin(same))


def _same_field(first: FieldValues | None, second: FieldValues | None, count: int) -> NDArray[np.bool_]:
    """Compare a field episode by episode; two that have none are the same."""
    absent, others = _absent(first, count), _absent(second, count)
    same: NDArray[np.bool_] = np.equal(absent, others)
    both = ~absent & ~others
    if first is not None and second is not None and both.any():
        left, right = first.values[:count], second.values[:count]
        equal: NDArray[Any] = np.asarray(left == right) | ((left != left) & (right != right))
        same &= equal | ~both
    return same


def _absent(field: FieldValues | None, count: int) -> NDArray[np.bool_]:
    if field is None:
        return np.ones(count, np.bool_)
    return np.zeros(count, np.bool_) if field.missing is None else field.missing[:count]
