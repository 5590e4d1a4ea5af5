"""Open, filter, load; against stock Minari and against one pass over the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from sets import IMAGE, XL, L, M, Shape, store
from table import Row, faster, seconds, spoken, times

if TYPE_CHECKING:
    from pathlib import Path

OURS = """
import pytupli_registry
arrays = pytupli_registry.load({id!r}, episodes="total_return >= {threshold!r}").columns()
print(len(arrays["rewards"]))
"""
THEIRS = """
import minari
dataset = minari.load_dataset({id!r}).filter_episodes(lambda episode: episode.rewards.sum() >= {threshold!r})
print(sum(len(episode.rewards) for episode in dataset.iterate_episodes()))
"""


def measure(root: Path) -> list[Row]:
    return [*top_tenth(root), *whole_set(root, L, 200), *whole_set(root, M, 60), *growth(root), *images(root)]


def top_tenth(root: Path) -> list[Row]:
    import minari

    import pytupli_registry

    returns = store(root).open(L.dataset_id).fields["total_return"].values
    threshold = float(np.quantile(returns, 0.9))

    def ours() -> int:
        arrays = pytupli_registry.load(L.dataset_id, episodes=f"total_return >= {threshold!r}").columns()
        return len(arrays["rewards"])

    def theirs() -> int:
        dataset = minari.load_dataset(L.dataset_id).filter_episodes(lambda e: e.rewards.sum() >= threshold)
        kept = [
            (e.observations, e.actions, e.rewards, e.terminations, e.truncations)
            for e in dataset.iterate_episodes()
        ]
        return sum(len(rewards) for _, _, rewards, _, _ in kept)

    counts = []
    fast, slow = seconds(ours, 9), seconds(lambda: counts.append(theirs()), 2)
    assert set(counts) == {ours()}
    what = "L: open, filter the top 10 % by return, arrays in memory"
    process_ours = process(root, "ours", OURS.format(id=L.dataset_id, threshold=threshold), 5)
    process_theirs = process(root, "minari", THEIRS.format(id=L.dataset_id, threshold=threshold), 1)
    return [
        faster(f"{what} (imports done)", fast, slow, 300, f"{spoken(fast)} against {spoken(slow)}"),
        faster(
            "the same as a whole process, interpreter and imports included",
            process_ours,
            process_theirs,
            40,
            f"{spoken(process_ours)} against {spoken(process_theirs)}",
        ),
    ]


def process(root: Path, folder: str, code: str, repeats: int) -> float:
    environment = {**os.environ, "MINARI_DATASETS_PATH": str(root / folder)}
    environment.pop("PYTUPLI_DATASETS_PATH")

    def run() -> None:
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL)

    return seconds(run, repeats)


def whole_set(root: Path, shape: Shape, target: float) -> list[Row]:
    import d3rlpy
    import minari

    import pytupli_d3rlpy

    def ours() -> object:
        dataset, _ = pytupli_d3rlpy.load(shape.dataset_id)
        return dataset

    def theirs() -> object:
        observations, actions, rewards, terminals, timeouts = [], [], [], [], []
        for episode in minari.load_dataset(shape.dataset_id).iterate_episodes():
            observations.append(episode.observations[:-1])
            actions.append(episode.actions)
            rewards.append(episode.rewards)
            terminals.append(episode.terminations)
            timeouts.append(episode.truncations)
        return d3rlpy.dataset.MDPDataset(
            np.concatenate(observations),
            np.concatenate(actions),
            np.concatenate(rewards),
            np.concatenate(terminals),
            np.concatenate(timeouts),
            action_space=d3rlpy.ActionSpace.CONTINUOUS,
            action_size=shape.action,
        )

    path = store(root).data_path(shape.dataset_id) / "main_data.hdf5"
    fast, slow, limit = seconds(ours, 9), seconds(theirs, 2), seconds(lambda: np.fromfile(path, np.uint8), 5)
    remark = (
        f"{spoken(fast)} against {spoken(slow)}; one pass of numpy.fromfile over the same file takes {spoken(limit)}, "
        f"{limit / fast:.2g} times as long as mapping it"
    )
    return [
        faster(f"{shape.name}: the full set into an MDPDataset ready to sample", fast, slow, target, remark)
    ]


def growth(root: Path) -> list[Row]:
    import pytupli_d3rlpy
    import pytupli_registry

    rows = []
    threshold = float(np.quantile(store(root).open(XL.dataset_id).fields["total_return"].values, 0.9))
    condition = f"total_return >= {threshold!r}"
    pairs = {
        "filter the top 10 %, arrays in memory": lambda id: pytupli_registry.load(
            id, episodes=condition
        ).columns(),
        "full set into an MDPDataset": pytupli_d3rlpy.load,
    }
    for what, work in pairs.items():
        small, large = (seconds(lambda id=shape.dataset_id, w=work: w(id), 5) for shape in (L, XL))
        rows.append(
            Row(
                f"growth from L to XL (10 × the episodes): {what}",
                f"{large / small:.1f} × the time",
                "linear or better",
                large / small <= 12,
                f"XL in {spoken(large)}",
            )
        )
    return rows


def images(root: Path) -> list[Row]:
    import minari

    import pytupli_registry

    def ours() -> int:
        return sum(int(e.observations[-1, 0, 0, 0]) for e in pytupli_registry.load(IMAGE.dataset_id))

    def theirs() -> int:
        return sum(int(e.observations[-1, 0, 0, 0]) for e in minari.load_dataset(IMAGE.dataset_id))

    assert ours() == theirs()
    fast, slow = seconds(ours), seconds(theirs, 3)
    return [
        Row(
            "image set (84×84×4 uint8): every episode, last pixel touched",
            times(slow / fast),
            "",
            None,
            f"{spoken(fast)} against {spoken(slow)}; Minari without JPEG",
        )
    ]
