"""Random orders that need not be written down to be read from their beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Shuffled"]

_MOST_WRITTEN_DOWN = 1 << 20
_ROUNDS = 6


class Shuffled:
    """The numbers below ``count`` in random order, the same for the same seed.

    Up to about a million it is NumPy's permutation. Writing down more takes longer than reading a batch, so there the
    order is computed where it is asked for: a Feistel network (Luby and Rackoff, 1988) over the next power of four,
    whose values beyond the end are sent through it again (Black and Rogaway, 2002, "Ciphers with arbitrary finite
    domains"). Its rounds mix by the finalizer of SplitMix64 (Steele, Lea and Flood, 2014): good for sampling, no cipher.

    Args:
        count: how many numbers.
        seed: of the order.
    """

    def __init__(self, count: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self._count = np.uint64(count)
        self._written: NDArray[np.int64] | None = None
        if count <= _MOST_WRITTEN_DOWN:
            self._written = chance.permutation(count)
            return
        self._half = np.uint64((int(count - 1).bit_length() + 1) // 2)
        self._keys = chance.integers(0, 1 << 64, _ROUNDS, dtype=np.uint64)

    def __getitem__(self, part: slice) -> NDArray[np.int64]:
        """Return the numbers at some places, given as start and stop.  # (n,)"""  # noqa: D415
        if self._written is not None:
            return self._written[part]
        found = self._through(np.arange(part.start, min(part.stop, int(self._count)), dtype=np.uint64))
        while len(beyond := np.flatnonzero(found >= self._count)):
            found[beyond] = self._through(found[beyond])
        return found.astype(np.int64)

    def _through(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        mask = (np.uint64(1) << self._half) - np.uint64(1)
        left, right = numbers >> self._half, numbers & mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        return (left << self._half) | right


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = numbers ^ (numbers >> np.uint64(31))
    return mixed
