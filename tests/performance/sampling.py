"""Batches for training: the same batch, bit for bit, against stock d3rlpy."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from sets import CARTPOLE, IMAGE, M, Shape, store
from table import Row, faster, seconds, spoken, times

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 256
TRAJECTORIES = 64
CONTEXT = 20


def stock_dataset(root: Path, shape: Shape, **options: Any) -> Any:
    """Build d3rlpy's own buffer of the same episodes."""
    import d3rlpy
    from d3rlpy.dataset import Episode, InfiniteBuffer, ReplayBuffer

    built = [
        Episode(
            channels_first(np.array(episode.observations[:-1])),
            np.array(episode.actions).reshape(len(episode), -1),
            np.array(episode.rewards).reshape(-1, 1),
            episode.terminated,
        )
        for episode in store(root).open(shape.dataset_id)
    ]
    kind = d3rlpy.ActionSpace.DISCRETE if shape.discrete else d3rlpy.ActionSpace.CONTINUOUS
    return ReplayBuffer(
        InfiniteBuffer(), episodes=built, action_space=kind, action_size=shape.action, **options
    )


def channels_first(observations: Any) -> Any:
    """Put the channels where d3rlpy's encoders want them; our plugin does so while it gathers a batch."""
    return np.ascontiguousarray(np.moveaxis(observations, -1, 1)) if observations.ndim == 4 else observations


def measure(root: Path) -> list[Row]:
    import pytupli_d3rlpy

    rows = []
    for shape, transition_target, trajectory_target in ((M, 20, 10), (CARTPOLE, 20, 10), (IMAGE, None, None)):
        ours, _ = pytupli_d3rlpy.load(shape.dataset_id)
        stock = stock_dataset(root, shape)
        batch = BATCH if transition_target else 32
        rows += [
            compare(
                f"{shape.name}: sample_transition_batch({batch})",
                lambda d, n=batch: d.sample_transition_batch(n),
                ours,
                stock,
                transition_target,
            ),
            compare(
                f"{shape.name}: sample_trajectory_batch({batch // 4}, {CONTEXT})",
                lambda d, n=batch // 4: d.sample_trajectory_batch(n, CONTEXT),
                ours,
                stock,
                trajectory_target,
            ),
        ]
        del stock
    return rows


def compare(what: str, sample: Any, ours: Any, stock: Any, target: float | None) -> Row:
    for seed in range(3):
        np.random.seed(seed)
        mine = sample(ours)
        np.random.seed(seed)
        assert_equal(mine, sample(stock))
    fast = seconds(lambda: [sample(ours) for _ in range(50)], 7) / 50
    slow = seconds(lambda: [sample(stock) for _ in range(10)], 5) / 10
    remark = f"{spoken(fast)} against {spoken(slow)}; bit-identical"
    if target is None:
        return Row(what, times(slow / fast), "", None, remark)
    return faster(what, fast, slow, target, remark)


def assert_equal(mine: Any, theirs: Any) -> None:
    for field in dataclasses.fields(theirs):
        if field.name not in {"transitions", "length"}:
            np.testing.assert_array_equal(
                getattr(mine, field.name), getattr(theirs, field.name), err_msg=field.name
            )
