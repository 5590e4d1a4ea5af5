"""Step filters against the same condition written by hand in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sets import M, store
from table import Row, seconds, spoken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


def measure(root: Path) -> list[Row]:
    dataset = store(root).open(M.dataset_id)
    observations, rewards, actions = (dataset.array(path) for path in ("observations", "rewards", "actions"))
    keep = np.ones(len(observations), dtype=np.bool_)
    keep[np.cumsum(dataset.lengths + 1) - 1] = False

    by_hand: dict[str, Callable[[], NDArray[np.bool_]]] = {
        "abs(observation[2]) < 0.1": lambda: (np.abs(observations[:, 2]) < 0.1)[keep],
        "reward > 0 and action[0] <= 0.5": lambda: (rewards > 0) & (actions[:, 0] <= 0.5),
        "observation[0] > 0 and next_observation[0] > observation[0] + 0.5": lambda: (
            (observations[:, 0][keep] > 0)
            & (observations[:, 0][np.roll(keep, 1)] > observations[:, 0][keep] + 0.5)
        ),
    }
    return [compare(dataset, condition, work) for condition, work in by_hand.items()]


def compare(dataset: object, condition: str, by_hand: Callable[[], NDArray[np.bool_]]) -> Row:
    mask = dataset.where(steps=condition).step_mask
    np.testing.assert_array_equal(mask, by_hand())
    ours = seconds(lambda: dataset.where(steps=condition).step_mask, 15)
    hand = seconds(by_hand, 15)
    return Row(
        f"M: `{condition}` against NumPy by hand",
        f"{hand / ours:.2f} of its speed",
        "≥ 0.5",
        hand / ours >= 0.5,
        f"{spoken(ours)} against {spoken(hand)}",
    )
