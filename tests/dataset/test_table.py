from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.dataset.table import FIXED_FIELDS, EpisodeTable, field_values, reward_fields


def test_rows_start_where_the_episodes_before_end():
    table = EpisodeTable(np.array([3, 1, 4]), {})
    assert table.row_starts.tolist() == [0, 3, 4]
    assert (len(table), table.step_count) == (3, 8)
    assert len(EpisodeTable(np.zeros(0, dtype=np.int64), {}).row_starts) == 0


def test_fields_of_episodes_in_memory(episodes):
    fields = EpisodeTable.from_episodes(episodes).fields
    assert set(FIXED_FIELDS) <= set(fields)
    for name, values in {
        "episode_id": [0, 1, 2, 3],
        "length": [3, 5, 1, 4],
        "total_return": [episode.rewards.sum() for episode in episodes],
        "min_reward": [episode.rewards.min() for episode in episodes],
        "max_reward": [episode.rewards.max() for episode in episodes],
        "mean_reward": [episode.rewards.mean() for episode in episodes],
        "terminated": [True, False, True, True],
        "truncated": [False, True, False, False],
        "seed": [40, 41, 42, 43],
        "metadata.month": ["June", "July", "June", "July"],
    }.items():
        assert fields[name].values.tolist() == pytest.approx(values) if name.endswith("reward") else values
        assert fields[name].missing is None


def test_options_and_metadata_that_only_some_episodes_have(make_episode):
    first = make_episode(0, 1, options={"mass": 1.5}, metadata={}, seed=None)
    second = make_episode(1, 1, options=None, metadata={"expert": True})
    fields = EpisodeTable.from_episodes([first, second]).fields
    assert fields["options.mass"].values[0] == 1.5
    assert fields["options.mass"].missing.tolist() == [False, True]
    assert fields["metadata.expert"].missing.tolist() == [True, False]
    assert fields["seed"].missing.tolist() == [True, False]
    assert fields["seed"].values.dtype == np.int64


@given(st.lists(st.lists(st.integers(-1000, 1000), min_size=1, max_size=9), min_size=1, max_size=9))
def test_reward_fields_are_what_a_loop_computes(episodes):
    lengths = np.array([len(rewards) for rewards in episodes])
    fields = reward_fields(np.concatenate(episodes).astype(np.float32), lengths)
    for name, function in {"total_return": sum, "min_reward": min, "max_reward": max}.items():
        assert fields[name].values.tolist() == [function(rewards) for rewards in episodes]
    expected = [sum(rewards) / len(rewards) for rewards in episodes]
    np.testing.assert_allclose(fields["mean_reward"].values, expected, rtol=1e-12)


def test_reward_fields_of_no_episodes():
    assert all(
        len(values.values) == 0 for values in reward_fields(np.zeros(0), np.zeros(0, np.int64)).values()
    )


@pytest.mark.parametrize(
    ("given_values", "dtype", "expected"),
    [
        ([True, False], np.bool_, [True, False]),
        ([1, 2], np.int64, [1, 2]),
        ([np.int8(1), np.uint64(2)], np.int64, [1, 2]),
        ([1, 2.5], np.float64, [1.0, 2.5]),
        ([True, 2], np.float64, [1.0, 2.0]),
        ([2**63, 1], np.float64, [2.0**63, 1.0]),
        (["a", "b"], object, ["a", "b"]),
        (["a", 1], object, ["a", "1"]),
        ([np.str_("a")], object, ["a"]),
    ],
)
def test_field_values_are_typed(given_values, dtype, expected):
    found = field_values(given_values)
    assert found.values.dtype == dtype
    assert found.values.tolist() == expected
    assert found.missing is None


@pytest.mark.parametrize("present", [True, 3, 2.5, "text"])
def test_none_is_missing(present):
    found = field_values([None, present])
    assert found.missing.tolist() == [True, False]
    assert found.values[1] == present


def test_a_field_nobody_has_is_all_missing():
    assert field_values([None, None]).missing.all()


def test_numbers_too_large_for_a_float_are_kept_as_text():
    assert field_values([10**400]).values.tolist() == [str(10**400)]
