"""Actions as d3rlpy takes them: kind and size come from the Gymnasium space, never from the values seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from d3rlpy.constants import ActionSpace
from gymnasium import spaces
from gymnasium.wrappers import TransformAction

from pytupli_d3rlpy.rows import NOTHING, PlainRows, Rows, ShiftedRows
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

    @property
    def is_discrete(self) -> bool:
        """Whether d3rlpy's actions are numbers."""
        return isinstance(self.space, spaces.Discrete)

    def rows(self, dataset: Dataset) -> Rows:
        """Return the actions of every step of the whole dataset."""
        column = dataset.array("actions", NOTHING)
        if isinstance(self.space, spaces.Box):
            return PlainRows(column, (self.size,))
        rows = PlainRows(column, (1,))
        return ShiftedRows(rows, int(self.space.start)) if self.space.start else rows

    def action(self, predicted: Any) -> Any:  # noqa: ANN401 - a number or an array
        """Return what d3rlpy predicts as the environment takes it."""
        if isinstance(self.space, spaces.Discrete):
            return predicted + self.space.start
        return np.reshape(predicted, self.space.shape)

    def element(self, predicted: Any) -> Any:  # noqa: ANN401
        """Return the element of the action space: what :meth:`action` returns, in its dtype and within its bounds.

        A network's output may exceed a bound by rounding, or by what it never learnt.
        """
        space = self.space
        action = self.action(predicted)
        if isinstance(space, spaces.Discrete):
            return np.int64(action)
        if space.low.dtype.kind in "iu":
            action = np.rint(action)
        return np.asarray(np.clip(action, space.low, space.high), dtype=space.low.dtype)

    def wrap(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """Return the environment taking the actions that d3rlpy predicts; itself where nothing differs."""
        space = self.space
        if isinstance(space, spaces.Discrete):
            return TransformAction(env, self.action, spaces.Discrete(int(space.n))) if space.start else env
        if len(space.shape) == 1:
            return env
        flat = spaces.Box(space.low.reshape(-1), space.high.reshape(-1), dtype=space.low.dtype.type)
        return TransformAction(env, self.action, flat)
