"""What of a remote dataset would travel, and bringing it here: for `pytupli pull`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.filters.evaluate import undecided
from pytupli_registry.filters.text import parse
from pytupli_registry.remote.columns import RemoteColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.filters.expression import Expression

__all__ = ["PullPlan", "plan_pull", "pull"]


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What a pull costs.

    Attributes:
        episodes: that may be kept.
        total_episodes: of the whole dataset.
        wanted_bytes: bytes of those that are not here yet.
        travelling_bytes: bytes that would travel: those, and gaps between them that cost less than a request.
        total_bytes: of the data file.
        requests: how many would be made.
        seconds: how long that should take, as far as the Hub has shown how fast it is.
        is_whole: whether the whole file would come, because that is cheaper or nothing else is possible.
        is_exact: whether it is known what the step filter keeps; otherwise this is the most that may travel.
    """

    episodes: int
    total_episodes: int
    wanted_bytes: int
    travelling_bytes: int
    total_bytes: int
    requests: int
    seconds: float
    is_whole: bool
    is_exact: bool


def plan_pull(dataset: Dataset, steps: Expression | str | None = None) -> PullPlan | None:
    """Return what would travel if everything were pulled that filters keep; None for what is here as a whole.

    Args:
        dataset: with the episode filter.
        steps: a step filter, of which only what the index tells is known.

    Raises:
        FilterError: the step filter is wrong.
    """
    columns = dataset.reader
    if not isinstance(columns, RemoteColumns):
        return None
    positions, is_exact = _wanted(dataset, steps)
    paths = _pulled(dataset)
    fetcher = columns.fetcher
    by_ranges = all(map(columns.is_ranged, paths))
    transfer = fetcher.plan(columns.cells(paths, positions)) if by_ranges else fetcher.plan_whole()
    return PullPlan(
        len(positions),
        len(dataset.table),
        transfer.wanted,
        transfer.bytes,
        fetcher.mirror.size,
        transfer.requests,
        transfer.seconds,
        transfer.is_whole,
        is_exact,
    )


def pull(dataset: Dataset) -> None:
    """Bring everything here that the filters of a dataset keep.

    Raises:
        HubError: the Hub refuses, or cannot be reached.
        WriteError: the disk is full.
    """
    mask, positions = dataset.step_mask, dataset.positions
    if mask is not None and len(positions):
        lengths = dataset.table.lengths[positions]
        positions = positions[np.logical_or.reduceat(mask, np.cumsum(lengths) - lengths)]
    dataset.require(_pulled(dataset), positions)


def _wanted(dataset: Dataset, steps: Expression | str | None) -> tuple[NDArray[np.int64], bool]:
    if steps is None:
        return dataset.positions, True
    expression = parse(steps) if isinstance(steps, str) else steps
    found = undecided(expression, dataset, dataset.positions, steps=True)
    return found.kept, len(found.positions) == 0


def _pulled(dataset: Dataset) -> list[str]:
    return list(dataset.leaves)
