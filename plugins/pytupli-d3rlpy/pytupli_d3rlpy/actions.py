"""Actions as d3rlpy takes them: kind and size come from the Gymnasium space, never from the values seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from d3rlpy.constants import ActionSpace
from gymnasium import spaces
from gymnasium.wrappers import TransformAction

from pytupli_d3rlpy.rows import PlainRows, Rows, ShiftedRows
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    import gymnasium

    from pytupli_registry import Dataset

__all__ = ["ActionRule"]


@dataclass(frozen=True)
class ActionRule:
    """How actions of one space become d3rlpy's.

    * ``Box``: continuous; a scalar becomes a vector of one, more than one axis is flattened in C order.
    * ``Discrete(n, start)``: discrete of size n; values are shifted so that they start at 0.

    Attributes:
        space: the dataset's action space.
        kind: continuous or discrete.
        size: length of the action vector, or number of discrete actions.
    """

    space: spaces.Box | spaces.Discrete
    kind: ActionSpace
    size: int

    @classmethod
    def of(cls, space: gymnasium.Space[Any]) -> ActionRule:
        """Choose the rule.

        Raises:
            AdapterError: d3rlpy has no actions of this kind.
        """
        if isinstance(space, spaces.Box):
            return cls(space, ActionSpace.CONTINUOUS, int(np.prod(space.shape)))
        if isinstance(space, spaces.Discrete):
            return cls(space, ActionSpace.DISCRETE, int(space.n))
        raise AdapterError(
            f"d3rlpy has no algorithm for {type(space).__name__} actions ({space!s:.200}).",
            hint="It takes Box and Discrete: wrap the environment so that its actions are one of these, and record again.",
        )

    def rows(self, dataset: Dataset) -> Rows:
        """Return the actions of every step of the whole dataset."""
        column = dataset.array("actions")
        if isinstance(self.space, spaces.Box):
            return PlainRows(column, (self.size,))
        rows = PlainRows(column, (1,))
        return ShiftedRows(rows, int(self.space.start)) if self.space.start else rows

    def wrap(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """Return the environment taking the actions that d3rlpy predicts; itself where nothing differs."""
        space = self.space
        if isinstance(space, spaces.Discrete):
            start = space.start
            if not start:
                return env
            return TransformAction(env, lambda action: action + start, spaces.Discrete(int(space.n)))
        if len(space.shape) == 1:
            return env
        shape = space.shape
        flat = spaces.Box(space.low.reshape(-1), space.high.reshape(-1), dtype=space.low.dtype.type)
        return TransformAction(env, lambda action: np.reshape(action, shape), flat)
