"""What filters keep, as episodes that stand on their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.episode import Episode
    from pytupli_registry.dataset.leaves import Tree

__all__ = ["kept_episodes", "run_bounds"]


def kept_episodes(dataset: Dataset) -> Iterator[Episode]:
    """Iterate over the kept episodes, cut into maximal runs of kept steps where there is a step filter.

    The last step of a run is truncated unless it terminated; a run keeps the observation that follows it. Seed and
    options stay with the run that begins with the reset. An episode that is kept as a whole is not changed.
    """
    mask = dataset.step_mask
    if mask is None:
        yield from dataset.episodes()
        return
    lengths = dataset.table.lengths[dataset.positions]
    starts = np.cumsum(lengths) - lengths
    kept = np.logical_or.reduceat(mask, starts) if len(starts) else mask
    for episode, start in zip(
        dataset.episodes_at(dataset.positions[kept]), starts[kept].tolist(), strict=True
    ):
        for first, last in run_bounds(mask[start : start + len(episode)]):
            whole = last - first == len(episode)
            yield episode if whole else _cut(episode, int(first), int(last))


def run_bounds(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return first and one past last of each maximal run of True.

    Args:
        mask: the steps of one episode.  # (T,)

    Returns:
        the runs in order.  # (runs, 2)
    """
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2).astype(np.int64)


def _cut(episode: Episode, first: int, last: int) -> Episode:
    truncations = np.array(episode.truncations[first:last])
    truncations[-1] = truncations[-1] or not episode.terminations[last - 1]
    return replace(
        episode,
        observations=_rows(episode.observations, first, last + 1),
        actions=_rows(episode.actions, first, last),
        rewards=episode.rewards[first:last],
        terminations=episode.terminations[first:last],
        truncations=truncations,
        infos=_rows(episode.infos, first, last + 1),
        seed=episode.seed if first == 0 else None,
        options=episode.options if first == 0 else None,
    )


def _rows(tree: Tree, first: int, last: int) -> Tree:
    if isinstance(tree, dict):
        return {key: _rows(part, first, last) for key, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_rows(part, first, last) for part in tree)
    return tree[first:last]
