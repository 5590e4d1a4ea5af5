"""What is no environment, and what an environment was made of that nobody else could make."""

import functools

import gymnasium
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.wrappers import TransformReward

from pytupli_registry import Benchmark
from pytupli_registry.benchmarks.capture import capture
from pytupli_registry.errors import ArtifactError


class Negated(gymnasium.RewardWrapper):
    def reward(self, reward):
        return -reward


class Scaled(gymnasium.Wrapper):
    def __init__(self, env, scale=1.0):
        super().__init__(env)


class Catchall(gymnasium.Wrapper):
    def __init__(self, *given):
        super().__init__(given[0])


def room(force):
    class Room(CartPoleEnv):
        force_mag = force

    return Room


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ("CartPole-v1", "a str"),
        (CartPoleEnv, "the class CartPoleEnv"),
        (None, "a NoneType"),
        (gymnasium.make_vec("CartPole-v1", 2), "a CartPoleVectorEnv"),
    ],
    ids=["id", "class", "none", "vector"],
)
@pytest.mark.parametrize("private", [False, True])
def test_only_an_environment_becomes_a_benchmark(thing, said, private):
    with pytest.raises(ArtifactError, match=f"gymnasium.Env, and this is {said}") as caught:
        Benchmark.from_env(thing, name="cart", private=private)
    assert "gymnasium.make" in caught.value.hint


def test_wrappers_that_take_nothing_need_not_say_what_they_took():
    (wrapper,) = capture(Negated(gymnasium.make("CartPole-v1")), "cart").wrappers
    assert wrapper.entry_point.endswith("test_capture:Negated")
    assert wrapper.kwargs == {}


@pytest.mark.parametrize("wrapper", [Scaled, Catchall])
def test_wrappers_that_take_more_have_to_say_what(wrapper):
    with pytest.raises(ArtifactError, match=f"{wrapper.__name__} does not say what arguments"):
        capture(wrapper(gymnasium.make("CartPole-v1")), "cart")


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        ("__main__:Room", "'Room' is defined in __main__"),
        (functools.partial(CartPoleEnv, sutton_barto_reward=True), "has no name to import it by"),
        (room(1), "<locals>.Room' is defined in"),
    ],
    ids=["notebook", "partial", "inner"],
)
def test_what_nobody_else_can_import_is_told(entry_point, said, monkeypatch):
    monkeypatch.setattr("__main__.Room", CartPoleEnv, raising=False)
    gymnasium.register("test/Room-v0", entry_point=entry_point)
    try:
        env = gymnasium.make("test/Room-v0")
    finally:
        gymnasium.registry.pop("test/Room-v0")
    with pytest.raises(ArtifactError) as caught:
        capture(env, "room")
    assert said in caught.value.message
    assert "module of its own" in caught.value.hint


def test_code_among_arguments_is_told_where_to_go():
    env = TransformReward(gymnasium.make("CartPole-v1"), lambda reward: 2 * reward)
    with pytest.raises(ArtifactError, match=r"'TransformReward\.func' is of the type function") as caught:
        Benchmark.from_env(env, name="cart")
    assert "a class of a module" in caught.value.hint
