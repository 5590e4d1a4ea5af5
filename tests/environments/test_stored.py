"""Environments named by data: which are built, and that nothing else happens."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FlattenObservation, TimeAwareObservation
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.environments.stored import (
    build_environment,
    describe_environment,
    explain_refusal,
    make_environment,
    require_environment,
)
from pytupli_registry.errors import EnvironmentRefused


def _spec(environment_id: str = "CartPole-v1", **changes: object) -> str:
    return json.dumps({**json.loads(gymnasium.spec(environment_id).to_json()), **changes})


def _rollout(env: gymnasium.Env, steps: int = 30) -> list[np.ndarray]:
    env.action_space.seed(3)
    seen = [np.asarray(env.reset(seed=3)[0])]
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(np.asarray(observation))
        if terminated or truncated:
            break
    env.close()
    return seen


@pytest.mark.parametrize(
    "environment_id", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "Taxi-v3", "Blackjack-v1"]
)
def test_a_described_environment_is_built_again_and_behaves_the_same(environment_id: str) -> None:
    original = gymnasium.make(environment_id)
    text = describe_environment(original)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rebuilt = make_environment(text)
    assert rebuilt is not None
    assert explain_refusal(text) is None
    np.testing.assert_array_equal(np.array(_rollout(rebuilt)), np.array(_rollout(original)))


def test_the_stored_time_limit_is_honoured() -> None:
    env = require_environment(describe_environment(gymnasium.make("Pendulum-v1", max_episode_steps=7)))
    assert len(_rollout(env)) == 8
    assert env.spec is not None
    assert env.spec.max_episode_steps == 7


def test_no_stored_time_limit_means_none() -> None:
    env = require_environment(_spec("Pendulum-v1", max_episode_steps=None))
    assert len(_rollout(env, steps=250)) == 251


def test_numbers_may_differ_from_what_is_registered() -> None:
    env = require_environment(_spec("FrozenLake-v1", kwargs={"map_name": "4x4", "is_slippery": False}))
    assert env.unwrapped.spec.kwargs["is_slippery"] is False


def test_plain_texts_may_differ_from_what_is_registered() -> None:
    env = require_environment(_spec("FrozenLake-v1", kwargs={"map_name": "8x8"}))
    assert env.observation_space == gymnasium.spaces.Discrete(64)


def test_gymnasiums_own_wrappers_are_built_too() -> None:
    original = FlattenObservation(TimeAwareObservation(gymnasium.make("CartPole-v1")))
    rebuilt = require_environment(describe_environment(original))
    assert rebuilt.observation_space == original.observation_space
    assert rebuilt.observation_space.shape == (5,)
    np.testing.assert_array_equal(np.array(_rollout(rebuilt)), np.array(_rollout(original)))


def test_building_leaves_the_registry_as_it_was() -> None:
    before = gymnasium.spec("FrozenLake-v1").to_json()
    require_environment(
        _spec("FrozenLake-v1", max_episode_steps=3, kwargs={"map_name": "4x4", "is_slippery": False})
    )
    assert gymnasium.spec("FrozenLake-v1").to_json() == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "names no environment"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no Gymnasium specification"),
        ('"CartPole-v1"', "no Gymnasium specification"),
        ("{}", "no Gymnasium specification"),
        (" " * (1 << 21), "longer than"),
        (_spec(id=["CartPole-v1"]), "no Gymnasium specification"),
        (_spec(id="NoSuch-v0"), "not registered"),
        (_spec(id="CartPole-v99"), "not registered"),
        (_spec(id="CartPole"), "not registered"),
        (_spec(id="ALE/Pong-v5"), "not registered"),
        (_spec(id="antigravity:CartPole-v1"), "not registered"),
        (_spec(entry_point="os:system"), "is 'os:system'"),
        (_spec(entry_point=None), "no entry point"),
        (_spec(entry_point={"a": 1}), "no entry point"),
        (_spec(max_episode_steps=0), "time limit"),
        (_spec(max_episode_steps=True), "time limit"),
        (_spec(max_episode_steps="9"), "time limit"),
        (_spec(kwargs=[1]), "no Gymnasium specification"),
        (_spec(kwargs={"sutton_barto_reward": "os.system('x')"}), "may name a file, an address or code"),
        (_spec(kwargs={"sutton_barto_reward": {"a": "/etc/passwd"}}), "may name a file, an address or code"),
        (_spec(kwargs={"sutton_barto_reward": 10**30}), "too large"),
        (_spec(kwargs={"sutton_barto_reward": [["x:y"]]}), "may name a file, an address or code"),
        (_spec("FrozenLake-v1", kwargs={"map_name": "../8x8"}), "may name a file, an address or code"),
        (
            _spec(
                additional_wrappers=[{"name": "X", "entry_point": "os:system", "kwargs": {"command": "x"}}]
            ),
            "part of Python",
        ),
        (_spec(additional_wrappers=[{"name": "X", "entry_point": "a:B", "kwargs": None}]), "wrappers"),
        (_spec(additional_wrappers=[None]), "wrappers"),
    ],
)
def test_what_is_refused_says_why(text: str | None, reason: str) -> None:
    assert make_environment(text) is None
    assert reason in str(explain_refusal(text))
    with pytest.raises(EnvironmentRefused) as refusal:
        require_environment(text)
    assert str(refusal.value) == explain_refusal(text)


def test_unknown_arguments_of_a_known_environment_are_a_refusal_not_a_crash() -> None:
    text = _spec(kwargs={"no_such_argument": 1})
    assert make_environment(text) is None
    with pytest.raises(EnvironmentRefused, match="could not be built"):
        require_environment(text)


def test_an_environment_registered_with_a_function_cannot_be_compared() -> None:
    gymnasium.register("PytupliCallable-v0", entry_point=lambda: gymnasium.make("CartPole-v1"))
    try:
        text = _spec(id="PytupliCallable-v0")
        assert make_environment(text) is None
        assert "registered with a function" in str(explain_refusal(text))
    finally:
        del gymnasium.registry["PytupliCallable-v0"]


def test_a_module_in_the_id_is_never_imported(tmp_path) -> None:
    marker = tmp_path / "imported"
    (tmp_path / "evil_module.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    texts = [
        _spec(id="evil_module:CartPole-v1"),
        _spec(entry_point="evil_module:Env"),
        _spec(additional_wrappers=[{"name": "W", "entry_point": "evil_module:W", "kwargs": {}}]),
        _spec(vector_entry_point="evil_module:V"),
    ]
    program = (
        "import json, sys\n"
        "from pytupli_registry.environments.stored import make_environment\n"
        "print([make_environment(text) is None for text in json.loads(sys.stdin.read())])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(texts), text=True, capture_output=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[True, True, True, False]", done.stderr
    assert not marker.exists()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    key=st.sampled_from(
        ["id", "entry_point", "max_episode_steps", "additional_wrappers", "kwargs", "surprise"]
    ),
    value=_JSON,
)
def test_no_specification_raises_anything_but_a_refusal(key: str, value: object) -> None:
    reason = explain_refusal(_spec(**{key: value}))
    assert reason is None or isinstance(reason, str)


def test_environments_that_json_cannot_keep_have_no_description() -> None:
    class Bare(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Discrete(2)

    assert describe_environment(Bare()) is None
    env = gymnasium.make("CartPole-v1")
    env.unwrapped.spec.kwargs["callback"] = np.zeros(3)
    assert describe_environment(env) is None


def test_an_environment_that_the_user_names_is_built_or_refused() -> None:
    env = build_environment("CartPole-v1", max_episode_steps=5)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 5
    with pytest.raises(EnvironmentRefused, match="CartPole-v1") as refusal:
        build_environment("CartPol-v1")
    assert "Did you mean 'CartPole-v1'?" in str(refusal.value)
    with pytest.raises(EnvironmentRefused, match="no_such_module_at_all"):
        build_environment("no_such_module_at_all:CartPole-v1")


def test_a_file_of_this_machine_is_not_told(tmp_path):
    spec = gymnasium.make("Pendulum-v1").spec
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.spec = spec
    assert describe_environment(env) is not None
    for where in ({"weather": str(tmp_path / "x.csv")}, {"files": [{"a": str(tmp_path)}]}):
        env.spec = copy.deepcopy(spec)
        env.spec.kwargs = where
        assert describe_environment(env) is None
