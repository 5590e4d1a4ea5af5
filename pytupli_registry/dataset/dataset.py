"""A dataset: episodes that are chosen by filters and read when asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.conversion import find_adapter
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, unflatten
from pytupli_registry.dataset.shuffling import Shuffled
from pytupli_registry.dataset.spaces import to_gymnasium
from pytupli_registry.dataset.table import RECORDED_FIELDS
from pytupli_registry.dataset.transitions import (
    StepRows,
    Transitions,
    gather_transitions,
    read_ahead,
    step_rows,
    transition_leaves,
)
from pytupli_registry.filters.evaluate import select_episodes, select_steps
from pytupli_registry.filters.text import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import gymnasium
    from numpy.typing import NDArray

    from pytupli_registry.dataset.columns import Columns
    from pytupli_registry.dataset.leaves import Leaf
    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.dataset.origin import Origin
    from pytupli_registry.dataset.table import EpisodeTable
    from pytupli_registry.filters.expression import Expression
    from pytupli_registry.filters.source import FieldValues

__all__ = ["Dataset", "Description", "Summary"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Smallest, mean, median and largest of some numbers; all NaN when there are none."""

    minimum: float
    mean: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Summary:
        """Summarise an array.  # (n,)"""  # noqa: D415 - the shape ends the line
        if len(values) == 0:
            return cls(np.nan, np.nan, np.nan, np.nan)
        return cls(float(values.min()), float(values.mean()), float(np.median(values)), float(values.max()))


@dataclass(frozen=True, slots=True)
class Description:
    """What a dataset holds, for people and for ``--json``.

    Attributes:
        dataset_id: Minari's id.
        source: where it was read from.
        episodes: number of episodes after the filters.
        steps: number of steps of those episodes.
        transitions: number of those steps that the step filter keeps.
        total_episodes: number of episodes before the filters.
        returns: of the episodes' undiscounted returns.
        lengths: of the episodes' numbers of steps.
        terminated: number of episodes whose last step is terminal.
        truncated: number of episodes whose last step is cut off.
        fields: names of the episode fields one can filter by.
        leaves: dtype and row shape of each leaf, as text.
        environment_id: Gymnasium's id of the environment, where known.
        lossy: whether some leaf was stored as JPEG.
        episode_filter: the episode filter as text, or None.
        step_filter: the step filter as text, or None.
    """

    dataset_id: str
    source: str
    episodes: int
    steps: int
    transitions: int
    total_episodes: int
    returns: Summary
    lengths: Summary
    terminated: int
    truncated: int
    fields: tuple[str, ...]
    leaves: Mapping[str, str]
    environment_id: str | None
    lossy: bool
    episode_filter: str | None
    step_filter: str | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Episodes over columns that are read when asked for; immutable.

    ``where`` returns another dataset over the same columns. A step filter is a mask over transitions, never a
    hole in an array: a kept transition keeps its true successor.

    Attributes:
        metadata: Minari's facts about the whole dataset.
        table: one row an episode, of the whole dataset.
        reader: where the leaves of the whole dataset are read from.
        positions: rows of ``table`` that the episode filters keep, in order.  # (n,) int64
        source: where the data was read from, for messages.
        episode_filter: the episode filters so far, joined by and.
        step_filter: the step filters so far, joined by and.
        origin: the repository and commit it was loaded from; None for local ones.
    """

    metadata: DatasetMetadata
    table: EpisodeTable
    reader: Columns
    positions: NDArray[np.int64]
    source: str
    episode_filter: Expression | None = None
    step_filter: Expression | None = None
    origin: Origin | None = None

    @classmethod
    def over(
        cls,
        metadata: DatasetMetadata,
        table: EpisodeTable,
        reader: Columns,
        source: str,
        origin: Origin | None = None,
    ) -> Dataset:
        """Return the dataset of all episodes of a table."""
        everything = np.arange(len(table), dtype=np.int64)
        return cls(metadata, table, reader, everything, source, origin=origin)

    def where(
        self, episodes: Expression | str | None = None, steps: Expression | str | None = None
    ) -> Dataset:
        """Keep the episodes and the transitions that the filters say yes to.

        Args:
            episodes: a filter over episode fields, as text or as an expression; None keeps all.
            steps: a filter over step fields; None keeps all. Earlier filters stay in force.

        Raises:
            FilterError: the text does not parse, names an unknown field, or combines what cannot be.
        """
        chosen = self
        if episodes is not None:
            expression = _expression(episodes)
            mask = select_episodes(expression, self, self.positions)
            chosen = replace(
                chosen,
                positions=self.positions[mask],
                episode_filter=_both(self.episode_filter, expression),
            )
        if steps is not None:
            expression = _expression(steps)
            chosen = replace(chosen, step_filter=_both(self.step_filter, expression))
            chosen.step_mask  # noqa: B018 - a wrong filter is told here, not when the data is used
        return chosen

    # What filters are evaluated on (filters.source.FilterSource).

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each episode of the whole dataset.  # (N,)"""  # noqa: D415
        return self.table.lengths

    @property
    def row_starts(self) -> NDArray[np.int64]:
        """First T-row of each episode of the whole dataset.  # (N,)"""  # noqa: D415
        return self.table.row_starts

    @property
    def fields(self) -> Mapping[str, FieldValues]:
        """Episode fields of the whole dataset by full name."""
        return self.table.fields

    @property
    def leaves(self) -> Mapping[str, Leaf]:
        """Leaves of every episode by path."""
        return self.reader.leaves

    def require(self, paths: Iterable[str], positions: NDArray[np.int64]) -> None:
        """Make leaves of episodes ready before they are read, see :meth:`Columns.require`."""
        self.reader.require(paths, positions)

    def array(self, path: str, positions: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return all rows of a leaf, of the whole dataset.

        Args:
            path: of the leaf.
            positions: of the episodes whose rows will be read, where others need not come over the network.

        Returns:
            Read-only.  # (rows, *row_shape)
        """
        return self.reader.array(path, positions)

    def zone(self, path: str, component: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Return each episode's minimum and maximum of one flat component, or None if unknown."""
        zones = self.table.zones.get(path)
        if zones is None or component >= zones[0].shape[1]:
            return None
        return zones[0][:, component], zones[1][:, component]

    # What is in it.

    @property
    def episode_count(self) -> int:
        """Number of episodes kept."""
        return len(self.positions)

    @property
    def step_count(self) -> int:
        """Number of steps of the episodes kept, whatever the step filter."""
        return int(self.table.lengths[self.positions].sum())

    @property
    def transition_count(self) -> int:
        """Number of transitions kept."""
        return self.step_count if self.step_mask is None else int(np.count_nonzero(self.step_mask))

    @cached_property
    def step_mask(self) -> NDArray[np.bool_] | None:
        """Which steps of the kept episodes the step filter keeps; None without one.  # (step_count,) bool"""  # noqa: D415
        if self.step_filter is None:
            return None
        return select_steps(self.step_filter, self, self.positions)

    @cached_property
    def observation_space(self) -> gymnasium.Space[Any]:
        """The Gymnasium space of observations.

        Raises:
            SpaceError: the dataset describes none that Gymnasium can build.
        """
        return to_gymnasium(self.metadata.observation_space)

    @cached_property
    def action_space(self) -> gymnasium.Space[Any]:
        """The Gymnasium space of actions.

        Raises:
            SpaceError: the dataset describes none that Gymnasium can build.
        """
        return to_gymnasium(self.metadata.action_space)

    def __len__(self) -> int:
        return self.episode_count

    def __getitem__(self, index: int) -> Episode:
        position = self.positions[index]
        self.reader.require(self.leaves, np.array([position], dtype=np.int64))
        return self._episode(int(position))

    def __iter__(self) -> Iterator[Episode]:
        return self.episodes()

    def episodes(self) -> Iterator[Episode]:
        """Iterate over the kept episodes, whole: step filters do not change episodes.

        Remote ones come some at a time, the first at once and then ever more of them together.
        """
        return self.episodes_at(self.positions)

    def episodes_at(self, positions: NDArray[np.int64]) -> Iterator[Episode]:
        """Iterate over the episodes at some rows of the table.  # (n,)"""  # noqa: D415
        for part in read_ahead(len(positions), 1):
            self.reader.require(self.leaves, positions[part])
            yield from map(self._episode, positions[part].tolist())

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the T-rows of the kept transitions and the positions of their episodes.

        Returns:
            T-rows and positions.  # (transition_count,) int64 each
        """
        rows, owners = step_rows(self.table, self.positions)
        mask = self.step_mask
        return (rows, owners) if mask is None else (rows[mask], owners[mask])

    def transitions(self) -> Transitions:
        """Return the kept transitions, each with its true successor."""
        return gather_transitions(self.table, self.reader, *self.rows())

    def batches(self, batch_size: int, *, seed: int | None = None) -> Iterator[Transitions]:
        """Iterate once over the kept transitions in batches; in random order if ``seed`` is given.

        Of a remote dataset, what the first batch needs comes first; then ever more batches together.
        """
        steps = StepRows(self.table, self.positions, self.step_mask)
        order = None if seed is None else Shuffled(len(steps), seed)
        for ahead in read_ahead(len(steps), batch_size):
            rows, owners = steps.at(np.arange(ahead.start, ahead.stop) if order is None else order[ahead])
            self.reader.require(transition_leaves(self.leaves), owners)
            for start in range(0, len(rows), batch_size):
                part = slice(start, start + batch_size)
                yield gather_transitions(self.table, self.reader, rows[part], owners[part])

    def column(self, path: str) -> NDArray[Any]:
        """Return one leaf of the kept episodes, every row of them.

        No copy is made when the episodes lie together.  # (rows, *row_shape), T or T+1 rows an episode

        Raises:
            KeyError: there is no such leaf.
            SpaceError: the leaf has no fixed shape; read it episode by episode.
        """
        values, extra_row = self.reader.array(path, self.positions), self.leaves[path].extra_row
        positions, starts = self.positions, self.table.row_starts
        if len(positions) == 0:
            return values[:0]
        if positions[-1] - positions[0] + 1 == len(positions) and bool(np.all(np.diff(positions) == 1)):
            first, last = int(positions[0]), int(positions[-1])
            stop = int(starts[last] + self.table.lengths[last]) + (last + 1) * extra_row
            return values[int(starts[first]) + first * extra_row : stop]
        counts = self.table.lengths[positions] + extra_row
        firsts = starts[positions] + positions * extra_row - (np.cumsum(counts) - counts)
        return values[np.repeat(firsts, counts) + np.arange(int(counts.sum()), dtype=np.int64)]

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return every leaf of fixed shape of the kept episodes by path, see :meth:`column`."""
        paths = [path for path, leaf in self.leaves.items() if leaf.is_array]
        self.reader.require(paths, self.positions)
        return {path: self.column(path) for path in paths}

    def sample_episodes(self, count: int, *, seed: int | None = None) -> Dataset:
        """Draw episodes without replacement.

        Raises:
            ValueError: there are fewer episodes than asked for.
        """
        drawn = np.random.default_rng(seed).choice(self.positions, size=count, replace=False)
        return replace(self, positions=drawn)

    def describe(self) -> Description:
        """Return what the dataset holds."""
        kept = self.positions

        def field(name: str) -> NDArray[Any]:
            return self.table.fields[name].values[kept]

        return Description(
            dataset_id=self.metadata.dataset_id,
            source=self.source,
            episodes=self.episode_count,
            steps=self.step_count,
            transitions=self.transition_count,
            total_episodes=len(self.table),
            returns=Summary.of(field("total_return")),
            lengths=Summary.of(field("length")),
            terminated=int(np.count_nonzero(field("terminated"))),
            truncated=int(np.count_nonzero(field("truncated"))),
            fields=tuple(self.table.fields),
            leaves={path: _describe_leaf(leaf) for path, leaf in self.leaves.items()},
            environment_id=self.metadata.environment_id,
            lossy=any(leaf.encoding == "jpeg" for leaf in self.leaves.values()),
            episode_filter=None if self.episode_filter is None else str(self.episode_filter),
            step_filter=None if self.step_filter is None else str(self.step_filter),
        )

    def to(self, adapter: str, **options: Any) -> Any:  # noqa: ANN401 - the other library's own type
        """Convert with an installed adapter: ``"d3rlpy"``, ``"minari"``, ``"numpy"`` and so on.

        Raises:
            AdapterError: there is no such adapter, or it cannot take this dataset.
        """
        return find_adapter(adapter)(self, **options)

    def _episode(self, position: int) -> Episode:
        values = {path: self.reader.episode_value(path, position) for path in self.leaves}
        present = {path: value for path, value in values.items() if value is not None}
        facts = {
            name: found
            for name, column in self.fields.items()
            if (found := _fact(column, position)) is not None
        }
        if any(isinstance(value, str) and value.startswith("[") for value in facts.values()):
            facts |= self.reader.array_facts(position)
        return Episode(
            observations=unflatten(present, "observations"),
            actions=unflatten(present, "actions"),
            rewards=present[REWARDS],
            terminations=present[TERMINATIONS],
            truncations=present[TRUNCATIONS],
            infos=unflatten(present, "infos") or {},
            episode_id=int(self.fields["episode_id"].values[position]),
            seed=facts.get("seed"),
            options=_nested(_below(facts, "options.")) or None,
            metadata=_below(facts, "metadata.")
            | {name: facts[name] for name in RECORDED_FIELDS if name in facts},
        )


def _expression(given: Expression | str) -> Expression:
    return parse(given) if isinstance(given, str) else given


def _both(first: Expression | None, second: Expression) -> Expression:
    return second if first is None else first & second


def _fact(column: FieldValues, position: int) -> Any:  # noqa: ANN401 - bool, int, float, str or None
    if column.missing is not None and column.missing[position]:
        return None
    value = column.values[position]
    return value.item() if isinstance(value, np.generic) else value


def _below(facts: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in facts.items() if name.startswith(prefix)}


def _nested(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return values named ``a.b`` as nested dictionaries, the way a reset takes its options."""
    found: dict[str, Any] = {}
    for name, value in named.items():
        *outer, last = name.split(".")
        inner = found
        for part in outer:
            step = inner.setdefault(part, {})
            if not isinstance(step, dict):  # "a" and "a.b" both stand for values: the shorter name wins
                break
            inner = step
        else:
            inner[last] = value
    return found


def _describe_leaf(leaf: Leaf) -> str:
    if leaf.dtype is None:
        return leaf.encoding
    shape = "×".join(map(str, leaf.row_shape)) or "scalar"
    return f"{leaf.dtype} {shape}" + ("" if leaf.is_array else f" ({leaf.encoding})")
