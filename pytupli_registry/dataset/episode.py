"""One finished run of an environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, Tree, flatten
from pytupli_registry.errors import EpisodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Episode", "Scalar"]

Scalar = str | int | float | bool

_TREES = {"observations": 1, "actions": 0, "infos": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """T steps of one run, and the observation it ended with.

    Attributes:
        observations: what was seen before each step and after the last.  # (T+1, *observation_shape) or a tree of those
        actions: what was done.  # (T, *action_shape) or a tree of those
        rewards: what each step earned.  # (T,) float
        terminations: whether the step reached a terminal state.  # (T,) bool
        truncations: whether the step was cut off.  # (T,) bool
        infos: by name, values of the reset and of each step.  # (T+1, ...) each
        episode_id: number of the episode in its dataset.
        seed: what the environment was reset with, where known.
        options: what the environment was reset with, where known.
        metadata: the user's own facts about the episode (month, site, is_expert), and where known the recorder's:
            ``recorded_at``, ``recorded_by``, ``policy``.
    """

    observations: Tree
    actions: Tree
    rewards: NDArray[Any]
    terminations: NDArray[np.bool_]
    truncations: NDArray[np.bool_]
    infos: Mapping[str, Tree] = field(default_factory=dict)
    episode_id: int = 0
    seed: int | None = None
    options: Mapping[str, Any] | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def total_return(self) -> float:
        """Sum of the rewards, undiscounted."""
        return float(np.sum(self.rewards, dtype=np.float64))

    @property
    def terminated(self) -> bool:
        """Whether the last step reached a terminal state."""
        return bool(self.terminations[-1])

    @property
    def truncated(self) -> bool:
        """Whether the last step was cut off."""
        return bool(self.truncations[-1])

    def leaves(self) -> dict[str, Any]:
        """Return every array of the episode by its path in the file."""
        found: dict[str, Any] = {}
        for name in _TREES:
            found.update(flatten(getattr(self, name), name))
        found[REWARDS] = self.rewards
        found[TERMINATIONS] = self.terminations
        found[TRUNCATIONS] = self.truncations
        return found

    def check(self) -> None:
        """Check the T / T+1 rule.

        Raises:
            EpisodeError: the episode is empty, or a leaf has a number of rows that is not its own.
        """
        length = len(self)
        if length == 0:
            raise EpisodeError("An episode needs at least one step; this one has none.")
        for path, values in self.leaves().items():
            expected = length + _TREES.get(path.split("/", 1)[0], 0)
            if not hasattr(values, "__len__") or getattr(values, "shape", None) == ():
                raise EpisodeError(
                    f"{path} is one value for the whole episode.",
                    hint="It needs a row for each step, and infos one for the reset; facts about an episode are metadata.",
                )
            if len(values) != expected:
                raise EpisodeError(
                    f"{path} has {len(values)} rows where an episode of {length} steps needs {expected}.",
                    hint="Observations and infos have one row more than there are steps: the reset comes first.",
                )
