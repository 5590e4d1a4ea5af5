"""Policies: those of the core, those of plugins, and files of them that need not be trusted."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import sys
import textwrap
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry.benchmarks.policies import (
    FunctionPolicy,
    Policy,
    RandomPolicy,
    RewardedPolicy,
    as_policy,
    load_policy,
    policy_format,
    policy_formats,
    save_policy,
)
from pytupli_registry.errors import AdapterError, ArtifactError, ConsentRequired

SPACES = spaces.Box(-1, 1, (2,), np.float32), spaces.Discrete(5)

PLUGIN = """
    import json
    from pathlib import Path

    formats = ("zoo-json", "zoo-code")
    suffixes = {"zoo-json": ".zoo", "zoo-code": ".zoopy"}
    seen = []

    class Always:
        def __init__(self, action):
            self.action = action

    class Acting:
        def __init__(self, action):
            self.action = action

        def begin(self, seeds):
            pass

        def act(self, observations, lanes):
            return [self.action for _ in lanes]

    def accepts(thing):
        return isinstance(thing, Always)

    def wrap(thing, observation_space, action_space):
        return Acting(thing.action)

    def needs_consent(name):
        return name == "zoo-code"

    def load(path, name, observation_space, action_space):
        seen.append(path)
        return Acting(json.loads(path.read_text())["action"])

    def save(thing, path):
        path.write_text(json.dumps({"action": thing.action}))
"""


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A plugin as pip would install it: a module, and its metadata beside it."""
    site = tmp_path / "site"
    install(site, "zoo_policies", PLUGIN)
    monkeypatch.syspath_prepend(site)
    yield __import__("zoo_policies")
    sys.modules.pop("zoo_policies", None)


def install(site, module, source):
    metadata = site / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / f"{module}.py").write_text(textwrap.dedent(source))
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[pytupli_registry.policies]\n{module} = {module}\n")


def test_random_actions_are_those_of_a_seeded_space():
    policy = RandomPolicy(SPACES[1])
    policy.begin([7, 8, 9])
    chosen = {lane: [] for lane in range(3)}
    for lanes in ([0, 1, 2], [0, 2], [2], [1, 2]):
        for lane, action in zip(lanes, policy.act([None] * len(lanes), lanes), strict=True):
            chosen[lane].append(action)
    for lane, seed in enumerate((7, 8, 9)):
        space = spaces.Discrete(5, seed=seed)
        assert chosen[lane] == [space.sample() for _ in chosen[lane]]


def test_random_actions_begin_anew_and_leave_the_callers_space_alone():
    space = spaces.Dict({"a": spaces.Discrete(9), "b": spaces.Box(-1, 1, (2,))})
    space.seed(1)
    before = json.dumps(space["a"].np_random.bit_generator.state)
    policy = RandomPolicy(space)
    policy.begin([3])
    first = [policy.act([None], [0])[0] for _ in range(5)]
    policy.begin([3])
    again = [policy.act([None], [0])[0] for _ in range(5)]
    assert [value["a"] for value in first] == [value["a"] for value in again]
    assert all(np.array_equal(one["b"], other["b"]) for one, other in zip(first, again, strict=True))
    assert json.dumps(space["a"].np_random.bit_generator.state) == before


def test_functions_become_policies():
    def chosen(observation):
        return int(observation[0] > 0)

    class Controller:
        def act_on(self, observation):
            return chosen(observation)

        def __call__(self, observation):
            return chosen(observation)

    for thing in (
        chosen,
        functools.partial(chosen),
        Controller().act_on,
        Controller(),
        lambda seen: int(seen[0] > 0),
    ):
        policy = as_policy(thing, *SPACES)
        assert isinstance(policy, FunctionPolicy)
        policy.begin([1, 2])
        assert policy.act([np.array([1.0]), np.array([-1.0])], [0, 1]) == [1, 0]


def test_policies_stay_what_they_are():
    policy = RandomPolicy(SPACES[1])
    assert as_policy(policy, *SPACES) is policy
    assert isinstance(policy, Policy)
    assert not isinstance(policy, RewardedPolicy)


@pytest.mark.parametrize("thing", [None, 3, "random", object(), RandomPolicy, {"act": 1}])
def test_what_is_no_policy_is_refused(thing):
    with pytest.raises(AdapterError, match="is no policy"):
        as_policy(thing, *SPACES)


def test_plugins_wrap_their_own(zoo):
    assert policy_formats()["zoo_policies"] is zoo
    policy = as_policy(zoo.Always(4), *SPACES)
    policy.begin([0, 0])
    assert policy.act([None, None], [0, 1]) == [4, 4]


def test_a_plugin_that_cannot_be_imported_is_no_obstacle(zoo, tmp_path, monkeypatch, caplog):
    install(tmp_path / "more", "a_broken_plugin", "import a_module_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path / "more")
    with caplog.at_level(logging.WARNING):
        assert as_policy(zoo.Always(4), *SPACES).act([None], [0]) == [4]
    assert "a_broken_plugin" in caplog.text


def saved(zoo, path, action=3):
    name = save_policy(zoo.Always(action), path)
    return name, hashlib.sha256(path.read_bytes()).hexdigest()


def test_policies_are_saved_and_loaded_by_format(zoo, tmp_path):
    path = tmp_path / "always.zoo"
    name, sha256 = saved(zoo, path)
    assert name == "zoo-json"
    policy = load_policy(path, sha256, name, *SPACES)
    assert policy.act([None], [0]) == [3]


def test_what_the_plugin_reads_is_a_private_copy(zoo, tmp_path):
    path = tmp_path / "always.zoo"
    name, sha256 = saved(zoo, path)
    load_policy(path, sha256, name, *SPACES)
    assert zoo.seen[-1] != path
    assert zoo.seen[-1].suffix == ".zoo"
    assert not zoo.seen[-1].exists()


def test_another_hash_is_not_loaded(zoo, tmp_path):
    path = tmp_path / "always.zoo"
    name, sha256 = saved(zoo, path)
    path.write_text('{"action": 0}')
    with pytest.raises(ArtifactError, match="not the one it should be"):
        load_policy(path, sha256, name, *SPACES)
    assert zoo.seen == []
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_policy(tmp_path / "missing.zoo", sha256, name, *SPACES)


def test_formats_that_can_hold_code_need_consent_to_the_very_bytes(zoo, tmp_path):
    path = tmp_path / "always.zoopy"
    name, sha256 = saved(zoo, path)
    with pytest.raises(ConsentRequired) as refused:
        load_policy(path, sha256, name, *SPACES)
    assert refused.value.hashes == (sha256,)
    assert sha256 in refused.value.runs[0]
    assert sha256 in refused.value.hint
    with pytest.raises(ConsentRequired):
        load_policy(path, sha256, name, *SPACES, consents={"0" * 64})
    assert zoo.seen == []
    assert load_policy(path, sha256, name, *SPACES, consents={sha256}).act([None], [0]) == [3]
    path.write_text('{"action": 666}')  # consent was given to other bytes
    with pytest.raises(ArtifactError):
        load_policy(path, sha256, name, *SPACES, consents={sha256})
    assert len(zoo.seen) == 1


def test_unknown_formats_are_told(zoo, tmp_path):
    with pytest.raises(AdapterError) as wrong:
        policy_format("zoo-jsn")
    assert wrong.value.hint == "Did you mean 'zoo-json'?"
    with pytest.raises(AdapterError, match="pickle"):
        load_policy(tmp_path / "x", "0" * 64, "pickle", *SPACES)
    with pytest.raises(AdapterError, match=r"ends in '\.pkl'"):
        save_policy(zoo.Always(1), tmp_path / "x.pkl")
    with pytest.raises(AdapterError, match="writes a int"):
        save_policy(3, tmp_path / "x.zoo")
    assert list(Path(tmp_path).glob("x*")) == []


def test_a_plugins_policy_acts_in_an_environment(zoo):
    env = gymnasium.make("FrozenLake-v1")
    policy = as_policy(zoo.Always(2), env.observation_space, env.action_space)
    observation, _ = env.reset(seed=0)
    policy.begin([0])
    assert env.action_space.contains(policy.act([observation], [0])[0])
