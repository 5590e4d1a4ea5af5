"""Numbers as vectors with a one at their place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OneHot"]


@dataclass(frozen=True)
class OneHot:
    """The code of a row of whole numbers: the vectors of each, one after the other.

    Attributes:
        starts: the smallest value of each number.
        sizes: how many values each number has.
    """

    starts: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, space: spaces.Discrete | spaces.MultiDiscrete) -> OneHot:
        """Return the code of a space; the numbers of a ``MultiDiscrete`` of several axes follow in C order."""
        sizes = np.reshape(space.n if isinstance(space, spaces.Discrete) else space.nvec, -1)
        return cls(tuple(map(int, np.reshape(space.start, -1))), tuple(map(int, sizes)))

    @property
    def width(self) -> int:
        """Length of the vector."""
        return sum(self.sizes)

    def encode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Encode rows.

        Args:
            values: whole numbers.  # (*rows, len(sizes))

        Returns:
            Zeros and ones.  # (*rows, width)

        Raises:
            AdapterError: a value is not in the space.
        """
        numbers = values.astype(np.int64) - np.asarray(self.starts)
        if ((numbers < 0) | (numbers >= self.sizes)).any():
            raise AdapterError(
                "An observation has a number that its space does not have, and so no one-hot code.",
                hint="`pytupli validate` shows which; discrete_observation='number' takes it as it is.",
            )
        rows = values.shape[:-1]
        code = np.zeros((math.prod(rows), self.width), dtype=np.float32)
        places = numbers.reshape(len(code), len(self.sizes)) + np.cumsum((0, *self.sizes[:-1]))
        np.put_along_axis(code, places, 1, axis=1)
        return code.reshape(*rows, self.width)
