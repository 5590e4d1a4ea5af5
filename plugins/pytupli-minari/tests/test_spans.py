from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytupli_minari.spans import Spans
from pytupli_registry import Dataset, Episode
from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.table import EpisodeTable


def masked(lengths, positions, mask) -> Dataset:
    episodes = [
        Episode(np.zeros(n + 1), np.zeros(n), np.zeros(n), np.zeros(n, bool), np.zeros(n, bool))
        for n in lengths
    ]
    metadata = DatasetMetadata("robots/walk-v0", len(lengths), sum(lengths), {}, {})
    columns, table = ArrayColumns(episodes), EpisodeTable.from_episodes(episodes)
    dataset = Dataset(metadata, table, columns, np.array(positions, dtype=np.int64), "memory")
    vars(dataset)["step_mask"] = None if mask is None else np.array(mask, dtype=bool)
    return dataset


def runs(lengths, positions, mask):
    """Runs by the obvious loop: [(position, first step, length)]."""
    found, place = [], 0
    for position in positions:
        first = None
        for step in range(lengths[position] + 1):
            kept = step < lengths[position] and mask[place + step]
            if kept and first is None:
                first = step
            if not kept and first is not None:
                found.append((position, first, step - first))
                first = None
        place += lengths[position]
    return found


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.data())
def test_runs_are_what_a_loop_finds(lengths, data):
    positions = data.draw(st.lists(st.sampled_from(range(len(lengths))), unique=True))
    size = sum(lengths[position] for position in positions)
    mask = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    spans = Spans.of(masked(lengths, positions, mask))
    assert [spans[index] for index in range(len(spans))] == runs(lengths, positions, mask)


def test_without_a_mask_episodes_are_whole():
    spans = Spans.of(masked([3, 1, 2], [2, 0], None))
    assert [spans[0], spans[1]] == [(2, 0, 2), (0, 0, 3)]


def test_neighbouring_episodes_are_two_runs():
    spans = Spans.of(masked([2, 2], [0, 1], [1, 1, 1, 1]))
    assert [spans[0], spans[1]] == [(0, 0, 2), (1, 0, 2)]


def test_taking_some():
    spans = Spans.of(masked([3, 1, 2], [0, 1, 2], None)).take([2, 0])
    assert [spans[0], spans[1]] == [(2, 0, 2), (0, 0, 3)]


def test_covering_everything():
    whole = masked([3, 1], [0, 1], None)
    assert Spans.of(whole).covers(whole)
    for positions, mask in (([1, 0], None), ([0], None), ([0, 1], [1, 1, 0, 1])):
        part = masked([3, 1], positions, mask)
        assert not Spans.of(part).covers(part)
