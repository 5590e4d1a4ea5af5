"""Whole training steps on the CPU, and the share of them that goes into sampling."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from sampling import CONTEXT, stock_dataset
from sets import CARTPOLE, M
from table import Row, spoken, times

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 120
WARM_UP = 10
DRAWN_BEFORE = 1_000  # batches: a run of any length has touched each page of the map before long


def measure(root: Path) -> list[Row]:
    import d3rlpy

    import pytupli_d3rlpy

    algorithms = d3rlpy.algos
    rows = []
    for shape, configs in (
        (
            M,
            {
                "BC": algorithms.BCConfig(batch_size=256),
                "TD3+BC": algorithms.TD3PlusBCConfig(batch_size=256),
                "IQL": algorithms.IQLConfig(batch_size=256),
                "Decision Transformer": algorithms.DecisionTransformerConfig(
                    batch_size=64, context_size=CONTEXT
                ),
            },
        ),
        (CARTPOLE, {"DiscreteCQL": algorithms.DiscreteCQLConfig(batch_size=256)}),
    ):
        ours, _ = pytupli_d3rlpy.load(shape.dataset_id)
        # Ours first: the million Python objects of the stock buffer would slow every allocation of the process.
        fast = {name: steps(config, ours) for name, config in configs.items()}
        stock = stock_dataset(root, shape)
        rows += [compare(name, fast[name], steps(config, stock)) for name, config in configs.items()]
        del stock
    return rows


def compare(name: str, ours: tuple[float, float], stock: tuple[float, float]) -> Row:
    share, stock_share = ours[0] / sum(ours), stock[0] / sum(stock)
    return Row(
        f"training step of {name}: share of sampling",
        f"{share:.1%}",
        "< 10 %",
        share < 0.1,
        f"step {spoken(sum(ours))} against {spoken(sum(stock))} ({times(sum(stock) / sum(ours))} as fast); "
        f"stock share {stock_share:.0%}",
    )


def steps(config: Any, dataset: Any) -> tuple[float, float]:
    """Return the median seconds of sampling a batch and of updating the networks with it."""
    algorithm = config.create()
    algorithm.build_with_dataset(dataset)
    sampling, updating = [], []
    for _ in range(DRAWN_BEFORE):
        dataset.sample_transition_batch(64)
    for step in range(STEPS if not hasattr(config, "context_size") else STEPS // 4):
        start = time.perf_counter()
        if hasattr(config, "context_size"):
            batch = dataset.sample_trajectory_batch(config.batch_size, config.context_size)
        else:
            batch = dataset.sample_transition_batch(config.batch_size)
        middle = time.perf_counter()
        algorithm.update(batch)
        end = time.perf_counter()
        if step >= WARM_UP:
            sampling.append(middle - start)
            updating.append(end - middle)
    return float(np.median(sampling)), float(np.median(updating))
