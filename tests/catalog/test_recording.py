"""Which policy plays which episode from which seed, and what is kept of it."""

from __future__ import annotations

from collections import Counter

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.benchmarks.policies import FunctionPolicy, RandomPolicy
from pytupli_registry.catalog.acting import ControllerPolicy, NoisyPolicy, load_controller
from pytupli_registry.catalog.recipe import DatasetRecipe
from pytupli_registry.catalog.recording import play, record, turns
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.errors import FormatError


class Kept(list[Episode]):
    """Episodes in memory."""

    def add(self, episode: Episode) -> int:
        episode.check()
        self.append(episode)
        return len(self) - 1


def test_turns_by_hand() -> None:
    assert list(turns({"expert": 0.5, "random": 0.5}, 5)) == [
        "expert",
        "random",
        "expert",
        "random",
        "expert",
    ]
    assert list(turns({"b": 0.25, "a": 0.75}, 4)) == ["a", "a", "b", "a"]
    assert list(turns({"only": 1.0}, 3)) == ["only"] * 3


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 200))
def test_turns_follow_the_shares_and_not_the_order_of_names(weights: list[int], episodes: int) -> None:
    shares = {f"policy{number}": weight / sum(weights) for number, weight in enumerate(weights)}
    played = list(turns(shares, episodes))
    assert played == list(turns(dict(reversed(shares.items())), episodes))
    counted = Counter(played)
    assert len(played) == episodes
    assert all(abs(counted[name] - share * episodes) <= len(weights) / 2 for name, share in shares.items())
    whole = list(turns(shares, sum(weights)))  # where every share is a whole number of episodes, it is exact
    assert sorted(Counter(whole).items()) == sorted(zip(shares, weights, strict=True))


def test_an_episode_is_what_seed_options_and_policy_make_it() -> None:
    env = gymnasium.make("CartPole-v1", max_episode_steps=12)
    recipe = DatasetRecipe(
        description="",
        episodes=4,
        seed=30,
        policies={"left": 0.5, "random": 0.5},
        options=({"low": -0.02, "high": 0.0}, {"low": 0.0, "high": 0.02}, {"low": -0.01, "high": 0.01}),
        metadata={"season": "summer"},
    )
    policies = {"left": FunctionPolicy(lambda _: 0), "random": RandomPolicy(env.action_space)}
    kept, again, advanced = Kept(), Kept(), []
    record(env, recipe, policies, kept, advanced.append)
    record(gymnasium.make("CartPole-v1", max_episode_steps=12), recipe, policies, again, advanced.append)
    assert advanced == [1] * 8
    assert [episode.seed for episode in kept] == [30, 31, 32, 33]
    assert [episode.metadata["policy"] for episode in kept] == ["left", "random", "left", "random"]
    assert [episode.options for episode in kept] == [recipe.options[turn] for turn in (0, 0, 1, 1)]
    assert kept[1].metadata == {"season": "summer", "low": -0.02, "high": 0.0, "policy": "random"}
    for number, episode in enumerate(kept):
        start, _ = gymnasium.make("CartPole-v1").reset(
            seed=30 + number, options=dict(recipe.options[number // 2])
        )
        np.testing.assert_array_equal(episode.observations[0], start)
        for name, leaf in episode.leaves().items():
            np.testing.assert_array_equal(leaf, again[number].leaves()[name], strict=True)
    assert not kept[0].actions.any()
    assert kept[1].actions.tolist() != kept[3].actions.tolist()[: len(kept[1])]


def test_playing_returns_the_return_and_ends_with_the_episode() -> None:
    env = gymnasium.make("CartPole-v1", max_episode_steps=7)
    assert play(env, FunctionPolicy(lambda _: 1), 3) == 7.0


def test_noise_replaces_its_share_of_the_actions_and_repeats_itself() -> None:
    space = gymnasium.spaces.Discrete(1000)
    noisy = NoisyPolicy(FunctionPolicy(lambda _: 1000), 0.3, space)
    noisy.begin([5, 6])
    first = np.array([noisy.act([0, 0], [0, 1]) for _ in range(2000)])
    assert abs(np.mean(first != 1000) - 0.3) < 0.02
    assert (first[:, 0] != first[:, 1]).any()
    noisy.begin([6])
    np.testing.assert_array_equal([noisy.act([0], [0])[0] for _ in range(2000)], first[:, 1])


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ("no_such_module_anywhere:expert", "No module named"),
        ("benchmarks_catalog.policies.cartpole:novice", "no attribute 'novice'"),
        ("benchmarks_catalog.policies.cartpole:__doc__", "cannot be called"),
    ],
)
def test_a_controller_that_is_none(point: str, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        load_controller(point, "tiny/benchmark.toml, at policies.expert.controller")
    assert caught.value.message.startswith("tiny/benchmark.toml, at policies.expert.controller: ")


def test_a_controller_remembers_by_lane() -> None:
    class Counting:
        def reset(self, seed: int | None = None) -> None:
            self.count = 100 * (seed or 0)

        def __call__(self, observation: object) -> int:
            self.count += 1
            return self.count

    policy = ControllerPolicy(Counting)
    policy.begin([1, 2])
    assert policy.act([None, None], [0, 1]) == [101, 201]
    assert policy.act([None], [1]) == [202]
    policy.begin([3])
    assert policy.act([None], [0]) == [301]
