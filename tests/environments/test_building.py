"""Environments built from data behave as the ones the data was made from."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers

from pytupli_registry.environments.building import build
from pytupli_registry.environments.consents import ConsentStore
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.shipped_code import ShippedCode, pack_code
from pytupli_registry.environments.specification import (
    EnvironmentSpecification,
    WrapperSpecification,
    specification_of,
)
from pytupli_registry.errors import ConsentRequired, EnvironmentRefused, RequirementsMissing

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Permissions()
ACME = Permissions(("acme_envs",))


def room(entry_point: str = "acme_envs.rooms:Room", **changes: object) -> EnvironmentSpecification:
    return EnvironmentSpecification(**{"environment_id": "Room-v0", "entry_point": entry_point, **changes})


def rollouts(env: gymnasium.Env, steps: int = 40) -> list[list[object]]:
    """Two episodes: every observation, reward and flag."""
    seen = []
    env.action_space.seed(5)
    for seed in (3, 4):
        episode = [np.asarray(env.reset(seed=seed)[0])]
        for _ in range(steps):
            observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            episode += [np.asarray(observation), float(reward), terminated, truncated]
            if terminated or truncated:
                break
        seen.append(episode)
    return seen


def assert_same(one: gymnasium.Env, two: gymnasium.Env) -> None:
    assert one.observation_space == two.observation_space
    assert one.action_space == two.action_space
    for first, second in zip(rollouts(one), rollouts(two), strict=True):
        assert len(first) == len(second)
        for left, right in zip(first, second, strict=True):
            np.testing.assert_array_equal(left, right)


def made(name: str) -> gymnasium.Env:
    return {
        "limit": lambda: gymnasium.make("Pendulum-v1", g=9.0, max_episode_steps=7),
        "none": lambda: gymnasium.make("Blackjack-v1", natural=True),
        "map": lambda: gymnasium.make("FrozenLake-v1", desc=["SFF", "FHF", "FFG"], is_slippery=False),
        "flat": lambda: wrappers.FlattenObservation(
            wrappers.TimeAwareObservation(gymnasium.make("CartPole-v1"))
        ),
        "stacked": lambda: wrappers.FrameStackObservation(
            wrappers.MaxAndSkipObservation(gymnasium.make("MountainCar-v0"), 2), 3, padding_type="zero"
        ),
        "normalized": lambda: wrappers.NormalizeReward(
            wrappers.NormalizeObservation(gymnasium.make("Pendulum-v1")), gamma=0.9
        ),
        "rescaled": lambda: wrappers.ClipReward(
            wrappers.RescaleAction(gymnasium.make("Pendulum-v1"), np.float32(-1), np.float32(1)), -1.0, 0.0
        ),
        "reshaped": lambda: wrappers.ReshapeObservation(gymnasium.make("CartPole-v1"), (2, 2)),
        "typed": lambda: wrappers.DtypeObservation(gymnasium.make("CartPole-v1"), np.float64),
        "delayed": lambda: wrappers.DelayObservation(gymnasium.make("CartPole-v1"), 2),
        "sticky": lambda: wrappers.StickyAction(gymnasium.make("Acrobot-v1"), 0.25),
        "statistics": lambda: wrappers.RecordEpisodeStatistics(gymnasium.make("CartPole-v1")),
        "outer limit": lambda: wrappers.TimeLimit(gymnasium.make("Pendulum-v1"), 9),
    }[name]()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "limit",
            "outer limit",
            "none",
            "map",
            "flat",
            "stacked",
            "normalized",
            "rescaled",
            "reshaped",
            "typed",
        ),
        *("delayed", "sticky", "statistics"),
    ],
)
def test_what_gymnasium_made_is_built_again(name: str) -> None:
    original = made(name)
    specification = specification_of(original.spec)
    built = build(specification, NOTHING)
    assert_same(built, original)
    assert specification_of(built.spec) == specification
    assert build(specification_of(built.spec), NOTHING).spec == built.spec
    assert built.unwrapped.spec.kwargs == dict(specification.kwargs)


def test_the_layers_are_in_gymnasiums_order() -> None:
    env = build(specification_of(made("flat").spec), NOTHING)
    layers = []
    while isinstance(env, gymnasium.Wrapper):
        layers.append(type(env).__name__)
        env = env.env
    assert layers == ["FlattenObservation", "TimeAwareObservation", "TimeLimit", "OrderEnforcing"]


def test_without_a_limit_or_order_there_is_no_layer_for_them() -> None:
    entry_point = "gymnasium.envs.classic_control.pendulum:PendulumEnv"
    env = build(EnvironmentSpecification("Pendulum-v1", entry_point, order_enforce=False), NOTHING)
    assert env is env.unwrapped
    assert env.spec.max_episode_steps is None


def test_the_arguments_are_those_of_the_data_alone() -> None:
    entry_point = "gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv"
    env = build(EnvironmentSpecification("FrozenLake8x8-v1", entry_point, {"render_mode": "human"}), NOTHING)
    assert env.observation_space.n == 16
    assert env.render_mode is None
    assert env.spec.kwargs == {}


def test_pictures_are_rendered_off_screen_where_the_agent_sees_them() -> None:
    original = wrappers.AddRenderObservation(gymnasium.make("CartPole-v1", render_mode="rgb_array"))
    specification = specification_of(original.spec)
    loud = EnvironmentSpecification(
        specification.environment_id,
        specification.entry_point,
        {"render_mode": "human"},
        500,
        wrappers=specification.wrappers,
    )
    built = build(loud, NOTHING)
    assert built.render_mode == "rgb_array"
    assert built.observation_space == original.observation_space
    np.testing.assert_array_equal(built.reset(seed=1)[0], original.reset(seed=1)[0])
    assert build(specification_of(built.spec), NOTHING).spec == built.spec
    built.close()
    original.close()


def test_the_arguments_of_the_caller_are_not_shared(installed: Path) -> None:
    table = {"a": [1]}
    env = build(room(kwargs={"table": table}), ACME)
    env.unwrapped.table["a"].append(2)
    assert table == {"a": [1]}
    assert env.spec.kwargs == {"table": {"a": [1]}}


def test_arguments_that_cannot_be_copied_are_a_refusal(installed: Path) -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(EnvironmentRefused, match="could not be built"):
        build(room(kwargs={"table": nested}), ACME)


def test_allowed_packages_are_imported_and_called(installed: Path) -> None:
    doubled = WrapperSpecification("Doubled", "acme_envs.rooms:Doubled", {"factor": 3.0})
    specification = room(
        kwargs={"target": 25.0, "name": "any/text: here"}, max_episode_steps=6, wrappers=(doubled,)
    )
    env = build(specification, ACME)
    rooms = sys.modules["acme_envs.rooms"]
    assert_same(env, rooms.Doubled(wrappers.TimeLimit(rooms.Room(25.0), 6), 3.0))
    assert specification_of(env.spec) == specification
    assert build(specification_of(env.spec), ACME).spec == env.spec
    assert env.unwrapped.name == "any/text: here"


@pytest.mark.parametrize(
    "entry_point", ["acme_envs:Room", "acme_envs.rooms:Room.Small", "acme_envs.rooms:make_room"]
)
def test_classes_and_functions_of_an_allowed_package(installed: Path, entry_point: str) -> None:
    env = build(room(entry_point), ACME)
    assert env.spec.entry_point == entry_point
    assert build(specification_of(env.spec), ACME).spec == env.spec


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("system", "no subclass"),
        ("Popen", "no subclass"),
        ("os.system", "only classes are looked into"),
        ("subprocess.Popen", "only classes are looked into"),
        ("path.join", "only classes are looked into"),
        ("gymnasium.make", "only classes are looked into"),
        ("os", "no subclass"),
        ("make", "is defined in 'gymnasium.envs.registration'"),
        ("RecordVideo", "is defined in 'gymnasium.wrappers.rendering'"),
        ("Elsewhere", "is defined in 'acme_envs_evil'"),
        ("NoEnvironment", "no subclass"),
        ("Room.Settings", "no subclass"),
        ("Room.reset", "is a method"),
        ("room", "no subclass"),
        ("room.reset", "only classes are looked into"),
        ("make_room.func_globals", "only classes are looked into"),
        ("MADE", "no subclass"),
        ("absent", "no subclass"),
        ("make_nothing", "made 'object'"),
        ("fail", "the constructor failed"),
        ("leave", "the process should end"),
    ],
)
def test_what_an_allowed_module_merely_holds_is_not_called(installed: Path, name: str, problem: str) -> None:
    with pytest.raises(EnvironmentRefused, match=problem):
        build(room(f"acme_envs.rooms:{name}"), ACME)
    assert sys.modules["acme_envs.rooms"].MADE == ["room"]  # the one that its own import makes


def test_functions_that_make_other_environments_are_not_called_even_if_allowed() -> None:
    permissions = Permissions(("gymnasium", "pytupli_registry"))
    for entry_point in (
        "gymnasium:make",
        "gymnasium.envs.registration:make",
        "gymnasium.envs.registration:load_env_creator",
        "pytupli_registry.environments.stored:build_environment",
    ):
        with pytest.raises(EnvironmentRefused, match=r"makes? other environments"):
            build(room(entry_point, kwargs={"id": "antigravity:X-v0"}), permissions)
    assert "antigravity" not in sys.modules


def test_a_wrapper_that_is_none_is_found_before_anything_is_built(installed: Path) -> None:
    for entry_point in ("acme_envs.rooms:NoEnvironment", "acme_envs.rooms:system", "acme_envs.rooms:Room"):
        wrapper = WrapperSpecification("W", entry_point, {})
        with pytest.raises(EnvironmentRefused, match=r"no subclass of gymnasium\.Wrapper"):
            build(room(wrappers=(wrapper,)), ACME)
    assert sys.modules["acme_envs.rooms"].MADE == ["room"]


def test_a_wrapper_that_fails_closes_what_is_within(installed: Path) -> None:
    wrapper = WrapperSpecification("Doubled", "acme_envs.rooms:Doubled", {"absent": 1})
    with pytest.raises(EnvironmentRefused, match="could not be built"):
        build(room(wrappers=(wrapper,)), ACME)


def test_modules_that_cannot_be_imported(installed: Path) -> None:
    with pytest.raises(EnvironmentRefused, match="cannot be imported: at import"):
        build(room("acme_broken:Room"), Permissions(("acme_broken",)))
    with pytest.raises(EnvironmentRefused, match="cannot be imported: at import"):
        build(room("acme_leaving:Room"), Permissions(("acme_leaving",)))
    with pytest.raises(RequirementsMissing, match="a_module_that_is_not_there"):
        build(room("acme_needy:Room"), Permissions(("acme_needy",)))


def test_a_registered_function_is_called_only_if_its_module_is_allowed(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = gymnasium.envs.registration.EnvSpec("Room-v0", entry_point="acme_envs.rooms:make_room")
    monkeypatch.setitem(gymnasium.registry, "Room-v0", spec)
    with pytest.raises(EnvironmentRefused, match=r"no subclass of gymnasium\.Env"):
        build(room("acme_envs.rooms:make_room"), NOTHING)
    assert build(room("acme_envs.rooms:make_room"), ACME).unwrapped.name == "made"


def test_code_with_consent_runs_from_its_bytes(installed: Path, tmp_path: Path) -> None:
    source = (
        (installed / "acme_envs" / "rooms.py")
        .read_text()
        .replace("from acme_envs_evil import Elsewhere\n", "")
    )
    (tmp_path / "shipped_rooms.py").write_text(source)
    code = pack_code(tmp_path / "shipped_rooms.py")
    (tmp_path / "shipped_rooms.py").unlink()
    specification = room("shipped_rooms:Room", kwargs={"target": 25.0}, max_episode_steps=6)
    with pytest.raises(ConsentRequired):
        build(specification, NOTHING, (code,))
    assert "shipped_rooms" not in sys.modules
    consent = Permissions(consents=frozenset({code.sha256}))
    env = build(specification, consent, (code,))
    assert_same(env, build(room(kwargs={"target": 25.0}, max_episode_steps=6), ACME))
    assert type(build(specification, consent, (code,)).unwrapped) is type(env.unwrapped)
    with pytest.raises(ConsentRequired):  # withdrawn: that it has run before does not matter
        build(specification, NOTHING, (code,))
    with pytest.raises(EnvironmentRefused, match="not installed"):  # allowed by name is another thing
        build(specification, Permissions(("shipped_rooms",)))
    for name in ("system", "make", "RecordVideo"):
        with pytest.raises(EnvironmentRefused):
            build(room(f"shipped_rooms:{name}"), consent, (code,))


def test_what_shipped_code_registers_still_takes_consent(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = b"""
import gymnasium

class Room(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)

gymnasium.register("Registered-v0", entry_point="shipped_registering:Room")
"""
    made_ = ShippedCode("", {"shipped_registering.py": source})
    code = ShippedCode(hashlib.sha256(made_.content).hexdigest(), made_.modules)
    specification = EnvironmentSpecification("Registered-v0", "shipped_registering:Room")
    build(specification, Permissions(consents=frozenset({code.sha256})), (code,))
    try:
        assert "Registered-v0" in gymnasium.registry
        with pytest.raises(ConsentRequired):
            build(specification, NOTHING, (code,))
        with pytest.raises(EnvironmentRefused):
            build(specification, NOTHING)
    finally:
        del gymnasium.registry["Registered-v0"]


def test_bytes_that_change_between_plan_and_import_do_not_run(installed: Path) -> None:
    sources = {"shipped_changing.py": b"x = 1\n"}
    code = ShippedCode(pack(sources), sources)
    sources["shipped_changing.py"] = b"raise SystemExit('ran')\n"
    with pytest.raises(EnvironmentRefused, match="bytes have changed"):
        build(room("shipped_changing:Room"), Permissions(consents=frozenset({code.sha256})), (code,))
    assert "shipped_changing" not in sys.modules


def pack(sources: dict[str, bytes]) -> str:
    return hashlib.sha256(ShippedCode("", sources).content).hexdigest()


REMEMBERED = """
import sys
from pathlib import Path
from pytupli_registry.environments.building import build
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.shipped_code import ShippedCode
from pytupli_registry.environments.specification import EnvironmentSpecification
from pytupli_registry.errors import ConsentRequired

code = ShippedCode.from_bytes(Path(sys.argv[1]).read_bytes(), sys.argv[2])
try:
    env = build(EnvironmentSpecification("Room-v0", "shipped_rooms:Room"), Permissions.from_environment(), (code,))
except ConsentRequired as error:
    print("asked for", error.hashes == (sys.argv[2],), "shipped_rooms" in sys.modules)
else:
    print("built", env.reset(seed=1)[0].shape, env.unwrapped.__module__)
"""


def test_remembered_consent_counts_in_another_process_until_it_is_withdrawn(tmp_path: Path) -> None:
    source = (
        "import gymnasium\n\n\nclass Room(gymnasium.Env):\n    def reset(self, *, seed=None, options=None):\n"
    )
    source += "        super().reset(seed=seed)\n        return self.np_random.uniform(size=3), {}\n"
    (tmp_path / "shipped_rooms.py").write_text(source)
    code = pack_code(tmp_path / "shipped_rooms.py")
    (tmp_path / "shipped_rooms.py").unlink()
    (tmp_path / "code.zip").write_bytes(code.content)
    store = ConsentStore(tmp_path / "config")

    def run() -> str:
        command = [sys.executable, "-c", REMEMBERED, str(tmp_path / "code.zip"), code.sha256]
        environment = {**os.environ, "PYTUPLI_CONFIG_PATH": str(tmp_path / "config")}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run() == "asked for True False"
    store.remember(code.sha256, "the benchmark rooms")
    assert run() == "built (3,) shipped_rooms"
    store.forget(code.sha256)
    assert run() == "asked for True False"
