"""Whole training steps on the CPU, and the share of them that goes into sampling."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from sampling import CONTEXT, stock_dataset
from sets import CARTPOLE, M
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 60
WARM_UP = 10


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
        stock = stock_dataset(root, shape)
        for name, config in configs.items():
            rows.append(compare(name, config, ours, stock))
    return rows


def compare(name: str, config: Any, ours: Any, stock: Any) -> Row:
    times = {label: steps(config, dataset) for label, dataset in (("ours", ours), ("stock", stock))}
    (sampling, update), (stock_sampling, stock_update) = times["ours"], times["stock"]
    share, stock_share = sampling / (sampling + update), stock_sampling / (stock_sampling + stock_update)
    return Row(
        f"training step of {name}: share of sampling",
        f"{share:.1%}",
        "< 10 %",
        share < 0.1,
        f"step {spoken(sampling + update)} against {spoken(stock_sampling + stock_update)} "
        f"({(stock_sampling + stock_update) / (sampling + update):.2f}× faster); stock share {stock_share:.0%}",
    )


def steps(config: Any, dataset: Any) -> tuple[float, float]:
    """Return the median seconds of sampling a batch and of updating the networks with it."""
    algorithm = config.create()
    algorithm.build_with_dataset(dataset)
    sampling, updating = [], []
    for step in range(STEPS):
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
