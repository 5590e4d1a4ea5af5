"""Transitions: derived from episodes here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, Tree, unflatten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from pytupli_registry.dataset.columns import Columns
    from pytupli_registry.dataset.table import EpisodeTable

__all__ = [
    "StepRows",
    "Transition",
    "Transitions",
    "gather_transitions",
    "read_ahead",
    "step_rows",
    "transition_leaves",
]

_MOST_AHEAD = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Transition:
    """One step: what was seen, what was done, what came of it."""

    observation: Tree
    action: Tree
    reward: float
    next_observation: Tree
    terminated: bool
    truncated: bool


@dataclass(frozen=True, slots=True, eq=False)
class Transitions:
    """n transitions as arrays.

    Attributes:
        observations: before each step.  # (n, *observation_shape) or a tree of those
        actions: of each step.  # (n, *action_shape) or a tree of those
        rewards: of each step.  # (n,)
        next_observations: after each step, from the same episode always.  # as observations
        terminated: whether the step reached a terminal state.  # (n,) bool
        truncated: whether the step was cut off.  # (n,) bool
        positions: position of the episode in the dataset's table.  # (n,) int64
        steps: number of the step in its episode, from 0.  # (n,) int64
    """

    observations: Tree
    actions: Tree
    rewards: NDArray[Any]
    next_observations: Tree
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    positions: NDArray[np.int64]
    steps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rewards)

    def __getitem__(self, index: int) -> Transition:
        return Transition(
            observation=_row(self.observations, index),
            action=_row(self.actions, index),
            reward=float(self.rewards[index]),
            next_observation=_row(self.next_observations, index),
            terminated=bool(self.terminated[index]),
            truncated=bool(self.truncated[index]),
        )

    def __iter__(self) -> Iterator[Transition]:
        return (self[index] for index in range(len(self)))


def step_rows(
    table: EpisodeTable, positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for every step of the episodes at ``positions``, its T-row and its episode's position.

    The row of a T+1-row leaf before the step is the T-row plus the position; after the step, one more.

    Returns:
        T-rows and positions.  # (sum of lengths,) int64 each
    """
    lengths = table.lengths[positions]
    owners = np.repeat(positions, lengths)
    firsts = np.repeat(table.row_starts[positions] - (np.cumsum(lengths) - lengths), lengths)
    rows = firsts + np.arange(len(owners), dtype=np.int64)
    return rows, owners


class StepRows:
    """Finds the rows of single steps of some episodes; :func:`step_rows` returns those of all.

    Args:
        table: the episodes.
        positions: of those whose steps are counted, one after the other.  # (n,)
        mask: which steps count; None for all.  # (sum of lengths,)
    """

    def __init__(
        self, table: EpisodeTable, positions: NDArray[np.int64], mask: NDArray[np.bool_] | None
    ) -> None:
        lengths = table.lengths[positions]
        self._positions = positions
        self._stops = np.cumsum(lengths)
        self._shifts = table.row_starts[positions] - (self._stops - lengths)
        self._kept = None if mask is None else np.flatnonzero(mask)

    def __len__(self) -> int:
        if self._kept is not None:
            return len(self._kept)
        return int(self._stops[-1]) if len(self._stops) else 0

    def at(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return T-rows and positions of steps, by their numbers among those that count.  # (n,) int64 each"""  # noqa: D415
        numbers = numbers if self._kept is None else self._kept[numbers]
        places = self._stops.searchsorted(numbers, side="right")
        return numbers + self._shifts[places], self._positions[places]


def transition_leaves(leaves: Iterable[str]) -> list[str]:
    """Return those leaves that transitions consist of: all but infos."""
    return [path for path in leaves if path.split("/", 1)[0] != "infos"]


def read_ahead(count: int, first: int) -> Iterator[slice]:
    """Cut ``count`` things into parts: ``first`` of them, then each part twice as large as the one before.

    So the first are there soon, and all of them with few requests.
    """
    start, size = 0, max(first, 1)
    while start < count:
        yield slice(start, min(start + size, count))
        start += size
        size = min(2 * size, _MOST_AHEAD * max(first, 1))


def gather_transitions(
    table: EpisodeTable, columns: Columns, rows: NDArray[np.int64], owners: NDArray[np.int64]
) -> Transitions:
    """Gather the transitions at the given T-rows.

    Args:
        table: the episodes.
        columns: their leaves.
        rows: T-rows of the wanted steps.  # (n,)
        owners: position of the episode each row belongs to.  # (n,)
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    actions: dict[str, Any] = {}
    steps = rows - table.row_starts[owners]
    columns.require(transition_leaves(columns.leaves), owners)
    for path, leaf in columns.leaves.items():
        root = path.split("/", 1)[0]
        if root == "observations":
            if leaf.is_array:
                values = columns.array(path, owners)
                before[path], after[path] = values[rows + owners], values[rows + owners + 1]
            else:
                before[path], after[path] = _gather_values(columns, path, owners, steps)
        elif root == "actions":
            if leaf.is_array:
                actions[path] = columns.array(path, owners)[rows]
            else:
                actions[path] = _gather_values(columns, path, owners, steps)[0]
    return Transitions(
        observations=unflatten(before, "observations"),
        actions=unflatten(actions, "actions"),
        rewards=columns.array(REWARDS, owners)[rows],
        next_observations=unflatten(after, "observations"),
        terminated=columns.array(TERMINATIONS, owners)[rows],
        truncated=columns.array(TRUNCATIONS, owners)[rows],
        positions=owners,
        steps=steps,
    )


def _gather_values(
    columns: Columns, path: str, owners: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[Any, Any]:
    """Gather rows of a leaf that is no column, and the rows after them where there is one more row than steps.

    Each episode is read once, in whatever order its steps are asked for.
    """
    leaf = columns.leaves[path]
    before: list[Any] = [None] * len(owners)
    after: list[Any] = [None] * len(owners)
    order = np.argsort(owners, kind="stable")
    for owner, places in _groups(owners, order):
        value = columns.episode_value(path, owner)
        for place in places:
            before[place] = value[steps[place]]
            if leaf.extra_row:
                after[place] = value[steps[place] + 1]
    if leaf.dtype is None:
        return before, after
    empty = np.zeros((0, *leaf.row_shape), dtype=leaf.dtype)
    stacked = np.stack(before) if before else empty
    return stacked, np.stack(after) if after and leaf.extra_row else empty


def _groups(owners: NDArray[np.int64], order: NDArray[np.int64]) -> Iterator[tuple[int, list[int]]]:
    """Yield each owner and the places it stands at, given the places sorted by owner."""
    stops = np.flatnonzero(np.diff(owners[order])) + 1
    for places in np.split(order, stops):
        if len(places):
            yield int(owners[places[0]]), places.tolist()


def _row(tree: Tree, index: int) -> Tree:
    if isinstance(tree, dict):
        return {key: _row(value, index) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_row(value, index) for value in tree)
    return tree[index]
