"""Filters written with Python's operators."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from pytupli_registry import filters
from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.table import EpisodeTable
from pytupli_registry.errors import FilterTypeError
from pytupli_registry.filters import (
    all_,
    any_,
    contains,
    count,
    episode,
    exp,
    isfinite,
    isnan,
    log,
    max_,
    mean,
    min_,
    parse,
    sqrt,
    step,
    sum_,
)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (episode.total_return >= 100, "episode.total_return >= 100"),
        (episode.length < 100, "episode.length < 100"),
        (episode.length == 3, "episode.length == 3"),
        (episode.length != 3, "episode.length != 3"),
        (step.reward <= step.return_to_go, "reward <= return_to_go"),
        (episode.seed == None, "episode.seed is None"),  # noqa: E711 - what users write
        (episode.seed != None, "episode.seed is not None"),  # noqa: E711
        (episode.seed.is_none(), "episode.seed is None"),
        (episode.seed.is_not_none(), "episode.seed is not None"),
        (episode.metadata.month.isin(["June", None]), "episode.metadata.month in ['June', None]"),
        (episode.metadata["month name"].not_in([]), "episode.metadata['month name'] not in []"),
        (episode["length"] < 3, "episode.length < 3"),
        (episode.length.between(1, np.int64(5)), "1 <= episode.length <= 5"),
        (episode.policy.startswith("dqn"), "startswith(episode.policy, 'dqn')"),
        (episode.policy.endswith("dqn") | contains(episode.policy, "a"),
         "endswith(episode.policy, 'dqn') or contains(episode.policy, 'a')"),
        (episode.terminated & ~episode.truncated, "episode.terminated and not episode.truncated"),
        (episode.terminated | (episode.length > 3) | episode.truncated,
         "episode.terminated or episode.length > 3 or episode.truncated"),
        ((episode.length > 3) & episode.truncated, "episode.length > 3 and episode.truncated"),
        (abs(step.observation[2]) < 0.1, "abs(observation[2]) < 0.1"),
        (step.observation[-1, ::2] > 0, "observation[-1, ::2] > 0"),
        (step.observation.camera["left eye"][0][1] > 0, "observation.camera['left eye'][0, 1] > 0"),
        (step.step < 3, "step < 3"),
        (step.info["a b"] == 1.0, "info['a b'] == 1.0"),
        (-step.action[0] + 1 > 2 - step.action[1], "-action[0] + 1 > 2 - action[1]"),
        ((1 + step.action) * 2 / 3 // 4 % 5 ** step.step < 0, "(1 + action) * 2 / 3 // 4 % 5 ** step < 0"),
        (2 * step.reward // (3 / +step.reward) != 7 % step.step, "2 * reward // (3 / reward) != 7 % step"),
        ((2**step.step) ** 2 > 3 // step.step, "(2 ** step) ** 2 > 3 // step"),
        (round(step.reward) > math.floor(step.reward) + math.ceil(step.reward),
         "round(reward) > floor(reward) + ceil(reward)"),
        (sqrt(step.reward) + exp(1) + log(step.reward) > math.inf, "sqrt(reward) + exp(1) + log(reward) > inf"),
        (isnan(step.reward) | ~isfinite(step.reward), "isnan(reward) or not isfinite(reward)"),
        (any_(step.reward > episode.mean_reward), "any(reward > episode.mean_reward)"),
        (all_(step.terminated), "all(terminated)"),
        (count(step.reward > 0) >= 3, "count(reward > 0) >= 3"),
        (mean(step.reward) > min_(step.reward), "mean(reward) > min(reward)"),
        (max_(step.reward) - sum_(step.reward > 0) < 0, "max(reward) - sum(reward > 0) < 0"),
    ],
)  # fmt: skip
def test_operators_make_the_tree_of_their_text(made, text):
    assert str(made) == text
    assert parse(text) == made


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: 0 <= episode.length < 3,
        lambda: (episode.length > 3) and (episode.length < 5),
        lambda: not (episode.length > 3),
        lambda: bool(episode.terminated),
        lambda: 3 in step.reward,
        lambda: list(step.observation),
        lambda: (step.observation > 0)[0] if False else abs(step.observation)[0],
        lambda: step.observation[:2][0],
        lambda: step.observation[1.5],
        lambda: step.observation[True],
        lambda: step.observation["a":],
        lambda: episode.length > [1, 2],
        lambda: episode.length > 1j,
        lambda: episode.length.isin([[1]]),
        lambda: episode.length > 2**70,
        lambda: episode.terminated & 3,
        lambda: any_(3),
        lambda: episode.length < None,
    ],
)
def test_what_python_cannot_say_is_told(wrong):
    with pytest.raises(FilterTypeError):
        wrong()


def test_the_error_of_and_says_what_to_write():
    with pytest.raises(FilterTypeError) as caught:
        bool(episode.length > 3)
    assert "& | ~" in caught.value.hint


def test_an_operand_is_not_hashable_but_an_expression_is():
    with pytest.raises(TypeError):
        hash(episode.length)
    assert len({episode.length > 3, episode.length > 3, episode.length > 3.0}) == 2


def test_expressions_are_frozen_and_survive_pickling():
    made = episode.length > 3
    with pytest.raises(AttributeError):
        made.operators = ("<",)
    assert pickle.loads(pickle.dumps(made)) == made


def test_datasets_take_expressions_and_yes_or_no_fields():
    kept = [
        Episode(
            observations=np.zeros((n + 1, 2)),
            actions=np.arange(n),
            rewards=np.arange(n) - 1.0,
            terminations=np.arange(n) == (n - 1 if n > 2 else n),
            truncations=np.zeros(n, dtype=np.bool_),
            episode_id=n,
        )
        for n in (2, 4)
    ]
    metadata = DatasetMetadata("a-v0", 2, 6, {}, {})
    dataset = Dataset.over(metadata, EpisodeTable.from_episodes(kept), ArrayColumns(kept), "memory")
    assert dataset.where(episodes=episode.terminated).positions.tolist() == [1]
    chosen = dataset.where(episodes=(episode.id == 4) & any_(step.reward == 2), steps=abs(step.reward) == 1)
    assert chosen.step_mask.tolist() == [True, False, True, False]


def test_public_names_exist():
    for name in filters.__all__:
        assert getattr(filters, name) is not None
    assert dir(filters) == sorted(filters.__all__)
    with pytest.raises(AttributeError):
        filters.nothing  # noqa: B018
