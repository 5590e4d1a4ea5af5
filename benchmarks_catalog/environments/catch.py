"""``pytupli/Catch-v0``: balls fall, a paddle catches; observed as an image.

The game of Mnih et al., 2014 ("Recurrent models of visual attention") with several balls an episode: on a grid of
14 x 14 cells a ball falls from a random column of the top row, one row a step; the paddle, three cells wide, stands
in the bottom row and moves at most one cell a step. When the ball reaches the bottom row the reward is +1 if the
paddle is under it and -1 if not, and the next ball appears at the top. Every ball can be caught, by somebody who
starts at once. An episode ends (terminated) after `balls` balls.

Action: Discrete(3): left, stay, right. Observation: uint8 (1, 42, 42), channels first, three pixels a cell; the ball
is 255, the paddle 128, the rest 0. One image tells the whole state but the number of balls left.

``info`` holds caught, how many balls have been caught so far in the episode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CELLS", "PIXELS", "Catch"]

CELLS = 14
PIXELS = 3  # a cell's side
_BALL, _PADDLE = 255, 128
_ACTIONS = 3  # left, stay, right


class Catch(gymnasium.Env["NDArray[np.uint8]", int]):
    """See the module's docstring.

    Args:
        balls: how many fall in an episode.

    Raises:
        ValueError: fewer than one ball.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 — Gymnasium's own declaration

    def __init__(self, balls: int = 10) -> None:
        if balls < 1:
            raise ValueError(f"an episode has at least one ball, not {balls}.")
        self._balls = balls
        self.observation_space = gymnasium.spaces.Box(0, 255, (1, CELLS * PIXELS, CELLS * PIXELS), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(_ACTIONS)  # type: ignore[assignment]  # Gymnasium types it as int64
        self._row = self._column = self._fallen = self._caught = 0
        self._paddle = CELLS // 2  # the middle one of its three cells

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """The paddle at a random place, the first ball at the top."""
        super().reset(seed=seed, options=options)
        self._paddle = int(self.np_random.integers(1, CELLS - 1))
        self._fallen = self._caught = 0
        self._drop()
        return self._image(), {"caught": 0}

    def _drop(self) -> None:
        self._row, self._column = 0, int(self.np_random.integers(CELLS))

    def step(self, action: int) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """The paddle moves, then the ball falls.

        Raises:
            ValueError: the action is not 0, 1 or 2.
        """
        if action not in range(_ACTIONS):
            raise ValueError(f"An action of Catch-v0 is 0 (left), 1 (stay) or 2 (right), not {action!r}.")
        self._paddle = min(max(self._paddle + int(action) - 1, 1), CELLS - 2)
        self._row += 1
        reward = self._land() if self._row == CELLS - 1 else 0.0
        return self._image(), reward, self._fallen == self._balls, False, {"caught": self._caught}

    def _land(self) -> float:
        caught = abs(self._column - self._paddle) <= 1
        self._fallen += 1
        self._caught += caught
        self._drop()
        return 1.0 if caught else -1.0

    def _image(self) -> NDArray[np.uint8]:
        cells = np.zeros((CELLS, CELLS), np.uint8)
        cells[-1, self._paddle - 1 : self._paddle + 2] = _PADDLE
        cells[self._row, self._column] = _BALL
        return cells.repeat(PIXELS, axis=0).repeat(PIXELS, axis=1)[None]
