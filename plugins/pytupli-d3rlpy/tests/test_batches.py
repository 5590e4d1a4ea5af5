"""Batches are bit-identical to stock d3rlpy's under the same seed."""

from __future__ import annotations

import tempfile
from dataclasses import replace

import numpy as np
import pytest
from d3rlpy.dataset import (
    BasicTrajectorySlicer,
    BasicTransitionPicker,
    FrameStackTrajectorySlicer,
    FrameStackTransitionPicker,
    MultiStepTransitionPicker,
    SparseRewardTransitionPicker,
)
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_d3rlpy import reward_sums, to_d3rlpy


class OwnPicker(BasicTransitionPicker):
    """One that d3rlpy does not know: it lies about rewards, and draws random numbers of its own."""

    def __call__(self, episode, index):
        transition = super().__call__(episode, index)
        return replace(transition, reward=transition.reward + np.random.random())


class OwnSlicer(BasicTrajectorySlicer):
    def __call__(self, episode, end_index, size):
        trajectory = super().__call__(episode, end_index, size)
        return replace(trajectory, rewards=trajectory.rewards * 2)


observation_spaces = st.one_of(
    st.builds(
        lambda shape, dtype: spaces.Box(-np.inf, np.inf, shape, dtype),
        st.sampled_from([(1,), (3,), (17,)]),
        st.sampled_from([np.float32, np.float64]),
    ),
    st.just(spaces.Box(0, 255, (2, 4, 5), np.uint8)),
    st.just(spaces.Box(0, 2**62, (2,), np.int64)),
    st.just(spaces.Discrete(7, start=3)),
    st.just(spaces.MultiBinary(4)),
)
action_spaces = st.sampled_from(
    [
        spaces.Discrete(5),
        spaces.Box(-1, 1, (1,), np.float32),
        spaces.Box(-1, 1, (2,), np.float64),
        spaces.Box(-1, 1, (), np.float32),
        spaces.Box(-1, 1, (2, 3), np.float32),
    ]
)
pickers = st.one_of(
    st.builds(BasicTransitionPicker),
    st.builds(SparseRewardTransitionPicker, st.just(-100)),
    st.builds(FrameStackTransitionPicker, st.integers(1, 5)),
    st.builds(MultiStepTransitionPicker, st.integers(1, 40), st.sampled_from([0.99, 1.0, 0.5])),
    st.builds(OwnPicker),
)
slicers = st.one_of(
    st.builds(BasicTrajectorySlicer),
    st.builds(FrameStackTrajectorySlicer, st.integers(1, 4)),
    st.builds(OwnSlicer),
)
# Sums of more than 8 and more than 128 numbers take other paths through NumPy.
all_lengths = st.lists(st.one_of(st.integers(1, 12), st.sampled_from([40, 150, 300])), min_size=2, max_size=6)
a_flag = st.booleans()


@st.composite
def datasets(draw, random_dataset):
    lengths = draw(all_lengths)
    flags = [(draw(a_flag), draw(a_flag)) for _ in lengths]
    # At least one transition must be there in any case.
    lengths, flags = [*lengths, 2], [*flags, (True, False)]
    dataset = random_dataset(
        draw(observation_spaces),
        draw(action_spaces),
        lengths,
        flags,
        draw(st.sampled_from([np.float32, np.float64, np.int64])),
        draw(st.integers(0, 2**32)),
    )
    order = draw(st.permutations(range(len(lengths))))
    chosen = order[: draw(st.integers(1, len(order)))]
    if len(lengths) - 1 not in chosen:
        chosen.append(len(lengths) - 1)
    dataset = replace(dataset, positions=np.array(chosen, dtype=np.int64))
    if draw(a_flag):
        mask = np.random.default_rng(draw(st.integers(0, 99))).random(dataset.step_count) < 0.5
        last = int(
            np.flatnonzero(
                np.repeat(dataset.positions, dataset.lengths[dataset.positions]) == len(lengths) - 1
            )[0]
        )
        mask[last] = True
        dataset.__dict__["step_mask"] = mask  # where the cached property keeps what a filter finds
    return dataset


def both(dataset, stock_buffer, picker=None, slicer=None, tail="drop"):
    ours = to_d3rlpy(dataset, transition_picker=picker, trajectory_slicer=slicer, truncated_tail=tail)
    return ours, stock_buffer(dataset, picker=picker, slicer=slicer, keep_tail=tail == "keep")


def seeded(seed, function, *arguments):
    np.random.seed(seed)
    return function(*arguments)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), picker=pickers, tail=st.sampled_from(["drop", "keep"]), seed=st.integers(0, 2**32 - 1))
def test_transition_batches_are_stock(random_dataset, stock_buffer, assert_same, data, picker, tail, seed):
    if isinstance(picker, SparseRewardTransitionPicker):
        tail = "drop"
    ours, stock = both(data.draw(datasets(random_dataset)), stock_buffer, picker, None, tail)
    assert ours.transition_count == stock.transition_count
    mine = seeded(seed, ours.sample_transition_batch, 24)
    after = np.random.random()
    theirs = seeded(seed, stock.sample_transition_batch, 24)
    assert np.random.random() == after, "the generator must be left in the same state"
    assert_same(mine, theirs)
    assert len(mine.transitions) == 24
    if not isinstance(picker, OwnPicker):  # it draws anew each time
        for one, other in zip(mine.transitions, theirs.transitions, strict=True):
            assert_same(one, other)
        assert_same(mine.transitions[-1], theirs.transitions[-1])
    assert_same(seeded(seed, ours.sample_transition), seeded(seed, stock.sample_transition))


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    slicer=slicers,
    tail=st.sampled_from(["drop", "keep"]),
    length=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_trajectory_batches_are_stock(
    random_dataset, stock_buffer, assert_same, data, slicer, tail, length, seed
):
    ours, stock = both(data.draw(datasets(random_dataset)), stock_buffer, None, slicer, tail)
    assert_same(
        seeded(seed, ours.sample_trajectory_batch, 16, length),
        seeded(seed, stock.sample_trajectory_batch, 16, length),
    )
    assert_same(seeded(seed, ours.sample_trajectory, length), seeded(seed, stock.sample_trajectory, length))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), tail=st.sampled_from(["drop", "keep"]))
def test_episodes_are_stock(random_dataset, stock_buffer, assert_same, data, tail):
    ours, stock = both(data.draw(datasets(random_dataset)), stock_buffer, tail=tail)
    assert ours.size() == stock.size() == len(ours.episodes)
    assert_same(ours.dataset_info, stock.dataset_info)
    for mine, theirs in zip(ours.episodes, stock.episodes, strict=True):
        assert_same(mine, theirs)
        assert mine.transition_count == theirs.transition_count
        assert mine.compute_return() == theirs.compute_return()
        assert mine.observation_signature == theirs.observation_signature
    for number in range(ours.transition_count):
        episode, index = ours.buffer[number]
        other, other_index = stock.buffer[number]
        assert index == other_index
        assert_same(episode, other)


def test_the_last_transition_of_a_truncated_episode_can_be_kept(random_dataset):
    dataset = random_dataset(
        spaces.Box(-1, 1, (2,)), spaces.Discrete(3), [3, 4], [(False, True), (True, False)]
    )
    assert to_d3rlpy(dataset).transition_count == 2 + 4
    kept = to_d3rlpy(dataset, truncated_tail="keep")
    assert kept.transition_count == 3 + 4
    tail = kept.transition_picker(*kept.buffer[2])
    np.testing.assert_array_equal(tail.next_observation, dataset[0].observations[3])
    np.testing.assert_array_equal(tail.next_action, [0])
    assert tail.terminal == 0
    assert [len(episode) for episode in kept.episodes] == [3, 4]


def test_a_step_filter_keeps_the_true_successor(random_dataset):
    dataset = random_dataset(
        spaces.Box(-1, 1, (2,)), spaces.Discrete(3), [5, 6], [(False, True), (True, False)]
    )
    dataset = replace(dataset)
    dataset.__dict__["step_mask"] = np.array([0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1], dtype=bool)
    ours = to_d3rlpy(dataset)
    # The last step of the first episode is kept by the filter, but truncated.
    assert [index for _, index in (ours.buffer[n] for n in range(ours.transition_count))] == [1, 2, 5]
    batch = ours.sample_transition_batch(200)
    seen = {float(o): n for o, n in zip(batch.observations[:, 0], batch.next_observations, strict=True)}
    first, second = dataset[0].observations, dataset[1].observations
    expected = {
        float(first[1, 0]): first[2],
        float(second[2, 0]): second[3],
        float(second[5, 0]): np.zeros(2),
    }
    assert seen.keys() == expected.keys()
    for key, successor in expected.items():
        np.testing.assert_array_equal(seen[key], successor.astype(np.float32))


@pytest.mark.parametrize("count", [1, 2, 255, 256, 1000, 2**31, 2**33])
def test_numpy_draws_many_as_it_draws_one_by_one(count):
    one_by_one = [seeded(5, np.random.randint, count), *(np.random.randint(count) for _ in range(99))]
    assert seeded(5, lambda: np.random.randint(count, size=100)).tolist() == one_by_one


@pytest.mark.parametrize("tail", ["drop", "keep"])
@pytest.mark.parametrize("limit", ["too much work", "no room for a file"])
def test_sums_made_when_asked_for_are_stock_too(
    random_dataset, stock_buffer, assert_same, monkeypatch, tail, limit
):
    if limit == "too much work":
        monkeypatch.setattr(reward_sums, "_MOST_WORK", 0)
    else:
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    dataset = random_dataset(
        spaces.Box(-1, 1, (2,)), spaces.Discrete(3), [300, 4, 12, 9], [(False, True), (True, False)] * 2
    )
    ours, stock = both(dataset, stock_buffer, tail=tail)
    assert_same(*(seeded(7, data.sample_trajectory_batch, 32, 9) for data in (ours, stock)))


def test_the_sums_of_episodes_apart_lie_where_they_belong(
    random_dataset, stock_buffer, assert_same, monkeypatch
):
    monkeypatch.setattr(reward_sums, "_BLOCK", 100)  # several blocks, of one episode and of more
    lengths = [30, 9, 2, 50, 120, 7, 1, 3]
    dataset = random_dataset(spaces.Box(-1, 1, (2,)), spaces.Discrete(3), lengths, [(True, False)] * 8)
    dataset = replace(dataset, positions=np.array([5, 6, 7, 0, 1, 3]))
    ours, stock = both(dataset, stock_buffer)
    assert_same(*(seeded(7, data.sample_trajectory_batch, 200, 5) for data in (ours, stock)))


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_large_images_are_stock(random_dataset, stock_buffer, assert_same, layout):
    space = spaces.Box(0, 255, (40, 42, 3) if layout == "channels_last" else (3, 40, 42), np.uint8)
    dataset = random_dataset(space, spaces.Discrete(3), [12, 5], [(False, True), (True, False)])

    def turned(images):
        return np.ascontiguousarray(np.moveaxis(images, -1, 1)) if layout == "channels_last" else images

    ours, stock = to_d3rlpy(dataset), stock_buffer(dataset, observe=turned)
    assert_same(*(seeded(7, data.sample_transition_batch, 32) for data in (ours, stock)))
    assert_same(*(seeded(7, data.sample_trajectory_batch, 16, 8) for data in (ours, stock)))
