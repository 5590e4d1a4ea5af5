"""``pytupli/PointReach-v0``: a point mass reaches a goal on a plate with a wall (goal-conditioned).

The plate is [-1, 1]²; a wall of thickness 0.1 stands at x = 0 from y = -1 up to y = 0.4, so that the way between the
halves leads over its top. One step is 0.1 s of::

    v' = 0.9 v + 0.1 · 1.5 a        |v'| ≤ 0.7 in either direction
    x' = x + 0.1 v'

first along x, then along y; where the wall or the plate's edge is in the way the point stays and that component of
its velocity is lost (a step is at most 0.07 long, shorter than the wall is thick). Our own task, in the manner of the
goal-conditioned robot tasks of Plappert et al., 2018, "Multi-goal reinforcement learning", and with their interface.

Action: Box(-1, 1, (2,)), acceleration in units of 1.5 m/s²; clipped.

Observation: Dict of float32: `observation` (4,) position and velocity, `achieved_goal` (2,) the position,
`desired_goal` (2,).

Reward: "sparse" is 0 within 0.1 of the goal and -1 elsewhere; "dense" is minus the distance. ``compute_reward``
recomputes it for other goals, for whole batches too. ``info["is_success"]`` tells whether the goal is reached.

Start and goal are drawn uniformly outside of the wall, at least 0.5 apart; ``options={"goal": [x, y]}`` sets the goal.
The environment never ends by itself; episodes are 100 steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import gymnasium
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PointReach"]

_STEP = 0.1  # s
_DRAG = 0.9
_ACCELERATION = 1.5  # m/s²
_LARGEST_SPEED = 0.7  # m/s
_WALL_LOW = np.array([-0.05, -1.0])
_WALL_HIGH = np.array([0.05, 0.4])
_REACHED = 0.1
_APART = 0.5

Observation = dict[str, Any]


def _is_in_wall(position: NDArray[np.float64]) -> bool:
    return bool(np.all((position >= _WALL_LOW) & (position <= _WALL_HIGH)))


class PointReach(gymnasium.Env[Observation, "NDArray[np.float32]"]):
    """See the module's docstring.

    Args:
        reward: "sparse" or "dense".

    Raises:
        ValueError: another kind of reward.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 — Gymnasium's own declaration

    def __init__(self, reward: Literal["sparse", "dense"] = "sparse") -> None:
        if reward not in ("sparse", "dense"):
            raise ValueError(f"reward is 'sparse' or 'dense', not {reward!r}.")
        self._reward = reward
        limits = np.array([1, 1, _LARGEST_SPEED, _LARGEST_SPEED], np.float32)
        plate = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = gymnasium.spaces.Dict(
            observation=gymnasium.spaces.Box(-limits, limits),
            achieved_goal=plate,
            desired_goal=gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32),
        )
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._position, self._velocity, self._goal = np.zeros(2), np.zeros(2), np.zeros(2)

    def compute_reward(self, achieved_goal: ArrayLike, desired_goal: ArrayLike, info: object) -> Any:  # noqa: ANN401, ARG002 — scalar or batch, as the interface has it
        """The reward for having achieved one goal while another is desired.

        Args:
            achieved_goal: (2,) or a batch (…, 2).
            desired_goal: of the same shape.
            info: not looked at; the interface of goal-conditioned environments has it.

        Returns:
            A float64 scalar or (…,).
        """
        distance = np.linalg.norm(np.asarray(achieved_goal) - np.asarray(desired_goal), axis=-1)
        if self._reward == "dense":
            return -distance
        return np.where(distance <= _REACHED, 0.0, -1.0)[()]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new start and goal; see the module's docstring for `options`.

        Raises:
            ValueError: an option that is not `goal`, or a goal outside of the plate or in the wall.
        """
        super().reset(seed=seed)
        self._velocity = np.zeros(2)
        self._position = self._free_place()
        self._goal = self._free_place() if not options else self._asked_goal(options)
        while not options and np.linalg.norm(self._goal - self._position) < _APART:
            self._goal = self._free_place()
        observation = self._observation()
        return observation, self._info(observation)

    def _free_place(self) -> NDArray[np.float64]:
        while True:
            place = self.np_random.uniform(-0.95, 0.95, 2)
            if not _is_in_wall(place):
                return place

    @staticmethod
    def _asked_goal(options: dict[str, Any]) -> NDArray[np.float64]:
        goal = np.asarray(options.get("goal", ()), np.float64)
        if (
            set(options) != {"goal"}
            or goal.shape != (2,)
            or not np.all(np.abs(goal) <= 1)
            or _is_in_wall(goal)
        ):
            raise ValueError(
                f"the reset option is a goal [x, y] on the plate and not in the wall, not {options}."
            )
        return goal

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """A tenth of a second.

        Raises:
            ValueError: the action holds something that is not a number.
        """
        push = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        if np.isnan(push).any():
            raise ValueError("An action of PointReach-v0 is two numbers between -1 and 1, not NaN.")
        velocity = _DRAG * self._velocity + _STEP * _ACCELERATION * push
        self._velocity = np.clip(velocity, -_LARGEST_SPEED, _LARGEST_SPEED)
        for axis in (0, 1):
            self._move(axis)
        observation = self._observation()
        reward = self.compute_reward(observation["achieved_goal"], observation["desired_goal"], None)
        return observation, float(reward), False, False, self._info(observation)

    def _move(self, axis: int) -> None:
        moved = self._position.copy()
        moved[axis] += _STEP * self._velocity[axis]
        if abs(moved[axis]) > 1 or _is_in_wall(moved):
            self._velocity[axis] = 0.0
        else:
            self._position = moved

    def _observation(self) -> Observation:
        state = np.concatenate([self._position, self._velocity]).astype(np.float32)
        return {
            "observation": state,
            "achieved_goal": state[:2].copy(),
            "desired_goal": self._goal.astype(np.float32),
        }

    def _info(self, observation: Observation) -> dict[str, Any]:
        distance = np.linalg.norm(observation["achieved_goal"] - observation["desired_goal"])
        return {"is_success": bool(distance <= _REACHED)}
