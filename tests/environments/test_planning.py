"""What may run: decided without importing or building anything."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest

from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.plan import Ground
from pytupli_registry.environments.planning import plan_build
from pytupli_registry.environments.registering import register_installed
from pytupli_registry.environments.shipped_code import ShippedCode
from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification
from pytupli_registry.errors import ConsentRequired, EnvironmentRefused

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Permissions()
CARTPOLE = "gymnasium.envs.classic_control.cartpole:CartPoleEnv"
LAKE = "gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv"
ACME = Permissions(("acme_envs",))


@pytest.fixture(autouse=True, scope="module")
def _registered() -> None:
    """Installed packages register their environments when the first unknown id is looked up; here it is done before."""
    register_installed()


def cartpole(**changes: object) -> EnvironmentSpecification:
    return EnvironmentSpecification(**{"environment_id": "CartPole-v1", "entry_point": CARTPOLE, **changes})


def acme(entry_point: str = "acme_envs.rooms:Room", **changes: object) -> EnvironmentSpecification:
    return EnvironmentSpecification(**{"environment_id": "Room-v0", "entry_point": entry_point, **changes})


def shipped(**files: str) -> ShippedCode:
    content = ShippedCode("", {name + ".py": text.encode() for name, text in files.items()}).content
    return ShippedCode.from_bytes(content, hashlib.sha256(content).hexdigest())


def refusal(
    specification: EnvironmentSpecification, permissions: Permissions = NOTHING, *code: ShippedCode
) -> str:
    before = set(sys.modules)
    plan = plan_build(specification, permissions, code)
    assert set(sys.modules) == before
    with pytest.raises(EnvironmentRefused) as error:
        plan.check()
    return str(error.value)


def test_what_is_registered_may_run() -> None:
    plan = plan_build(cartpole(kwargs={"sutton_barto_reward": True}), NOTHING)
    assert plan.refusals == ()
    assert [str(run) for run in plan.runs] == [f"{CARTPOLE}(sutton_barto_reward=True)  [registered]"]
    plan.check()


def test_another_entry_point_under_a_registered_id_may_not() -> None:
    said = refusal(cartpole(entry_point=LAKE))
    assert "the one registered here is" in said
    assert CARTPOLE in said


@pytest.mark.parametrize(
    "environment_id",
    [
        "NoSuch-v0",
        "CartPole-v99",
        "acme_envs:CartPole-v1",
        "a:b/CartPole-v1",
        "CartPole-v1\n",
        "",
        "ÇartPole-v1",
        "x" * 201,
    ],
)
def test_ids_that_are_not_registered(environment_id: str) -> None:
    assert "is not registered" in refusal(cartpole(environment_id=environment_id))


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "9", 1 << 60])
def test_time_limits_that_are_none(limit: object) -> None:
    assert "no number of steps" in refusal(cartpole(max_episode_steps=limit))


@pytest.mark.parametrize("name", ["__class__", "a b", "", "self.x", 3])
def test_names_that_no_argument_has(name: object) -> None:
    assert "argument of the name" in refusal(cartpole(kwargs={name: 1}))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"desc": ["S" * 60] * 500},
        {"desc": np.full((1000, 1000), b"F")},
        {"desc": np.full(300, "F" * 300)},
        {"frame_skip": 10**9},
        {"frame_skip": np.int64(10**9)},
        {"width": 1e9},
        {"height": float("nan")},
    ],
)
def test_arguments_that_multiply_memory_or_time(kwargs: dict[str, object]) -> None:
    assert "more than" in refusal(EnvironmentSpecification("FrozenLake-v1", LAKE, kwargs))


@pytest.mark.parametrize("environment_id", ["GymV21Environment-v0", "GymV26Environment-v0"])
def test_what_is_registered_with_a_function_cannot_be_compared(environment_id: str) -> None:
    entry_point = "shimmy.openai_gym_compatibility:GymV26CompatibilityV0"
    kwargs = {"env_id": "antigravity:CartPole-v1"}
    said = refusal(EnvironmentSpecification(environment_id, entry_point, kwargs))
    assert "'shimmy' is not installed here" in said


def test_what_makes_other_environments_is_no_environment(
    monkeypatch: pytest.MonkeyPatch, installed: Path
) -> None:
    (installed / "shimmy.py").write_text("raise SystemExit('imported')\n")
    spec = gymnasium.envs.registration.EnvSpec("Loader-v0", entry_point="shimmy:GymV26CompatibilityV0")
    monkeypatch.setitem(gymnasium.registry, "Loader-v0", spec)
    said = refusal(EnvironmentSpecification("Loader-v0", "shimmy:GymV26CompatibilityV0", {"env_id": "8x8"}))
    assert "makes other environments from its arguments" in said


def test_installed_packages_run_if_they_are_allowed(installed: Path) -> None:
    said = refusal(acme())
    assert "allow=('acme_envs',)" in said
    assert "PYTUPLI_ALLOWED_MODULES=acme_envs" in said
    plan = plan_build(acme(kwargs={"name": "any: text/at all"}), ACME)
    assert [str(run) for run in plan.runs] == [
        "acme_envs.rooms:Room(name='any: text/at all')  [allowed module prefix 'acme_envs']"
    ]
    assert "acme_envs" not in sys.modules


def test_prefixes_end_at_the_names_of_modules(installed: Path) -> None:
    assert "acme_envs_evil" in refusal(acme("acme_envs_evil:Elsewhere"), ACME)
    assert plan_build(acme(), Permissions(("acme_envs.rooms",))).refusals == ()
    assert refusal(acme("acme_envs:Room"), Permissions(("acme_envs.rooms",)))


def test_consent_is_asked_where_it_helps_and_says_what_would_run(installed: Path) -> None:
    with pytest.raises(ConsentRequired) as error:
        plan_build(acme(kwargs={"target": 3.0}), NOTHING).check()
    assert error.value.hashes == ()
    assert error.value.runs == ("acme_envs.rooms:Room(target=3.0)  [not permitted yet]",)


def test_what_is_not_installed_cannot_be_allowed() -> None:
    plan = plan_build(acme("acme_nowhere:Room"), Permissions(("acme_nowhere",)))
    with pytest.raises(EnvironmentRefused, match="'acme_nowhere' is not installed here") as error:
        plan.check()
    assert not isinstance(error.value, ConsentRequired)


@pytest.mark.parametrize(
    "entry_point", ["os:system", "builtins:exec", "subprocess:Popen", "runpy:run_path", "_io:open"]
)
def test_python_itself_is_never_allowed(entry_point: str) -> None:
    top = entry_point.partition(":")[0]
    assert "part of Python" in refusal(acme(entry_point), Permissions((top,)))
    wrapper = WrapperSpecification("W", entry_point, {})
    assert "part of Python" in refusal(cartpole(wrappers=(wrapper,)), Permissions((top,)))


def test_a_benchmarks_own_directory_is_no_place_to_import_from(
    installed: Path, tmp_path: Path, monkeypatch
) -> None:
    directory = tmp_path / "benchmark"
    directory.mkdir()
    (directory / "benchmark.json").write_text("{}")
    (directory / "acme_local.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(directory))
    assert "benchmark's own directory" in refusal(acme("acme_local:Room"), Permissions(("acme_local",)))


CODE = {"shipped_room": "raise SystemExit('imported')\n"}


def test_shipped_code_takes_consent_to_exactly_its_hash() -> None:
    code, other = shipped(**CODE), shipped(shipped_room="pass\n")
    specification = acme("shipped_room:Room", kwargs={"target": 1.0})
    with pytest.raises(ConsentRequired) as error:
        plan_build(specification, NOTHING, (code,)).check()
    assert error.value.hashes == (code.sha256,)
    assert error.value.runs == (
        "import of shipped_room.py  [not permitted yet]",
        "shipped_room:Room(target=1.0)  [not permitted yet]",
    )
    assert refusal(specification, Permissions(consents=frozenset({other.sha256})), code)
    plan = plan_build(specification, Permissions(consents=frozenset({code.sha256})), (code,))
    assert [(run.ground, run.is_call) for run in plan.runs] == [
        (Ground.CONSENTED, False),
        (Ground.CONSENTED, True),
    ]
    assert str(plan) == (
        "Building 'Room-v0' runs:\n"
        f"  import of shipped_room.py  [consented code {code.sha256[:12]}]\n"
        f"  shipped_room:Room(target=1.0)  [consented code {code.sha256[:12]}]"
    )


def test_all_shipped_code_takes_consent_or_none() -> None:
    one, two = shipped(**CODE), shipped(shipped_tools="")
    consent = Permissions(consents=frozenset({one.sha256}))
    with pytest.raises(ConsentRequired) as error:
        plan_build(acme("shipped_room:Room"), consent, (one, two)).check()
    assert error.value.hashes == (two.sha256,)
    assert plan_build(cartpole(), NOTHING, (one, two)).refusals == ()


def test_allowing_a_name_does_not_allow_code_that_comes_with_data() -> None:
    code = shipped(**CODE)
    with pytest.raises(ConsentRequired) as error:
        plan_build(acme("shipped_room:Room"), Permissions(("shipped_room",)), (code,)).check()
    assert error.value.hashes == (code.sha256,)


def test_shipped_code_is_given_plain_arguments_only() -> None:
    code = shipped(**CODE)
    consent = Permissions(consents=frozenset({code.sha256}))
    assert "may name a file" in refusal(
        acme("shipped_room:Room", kwargs={"name": "/etc/passwd"}), consent, code
    )


@pytest.mark.parametrize("name", ["json", "numpy", "gymnasium", "antigravity"])
def test_shipped_code_replaces_nothing(name: str) -> None:
    code = shipped(**{name: "raise SystemExit('imported')\n", "shipped_room": ""})
    consent = Permissions(consents=frozenset({code.sha256}))
    assert "would replace" in refusal(acme("shipped_room:Room"), consent, code)


def test_two_pieces_with_a_module_of_the_same_name_are_refused() -> None:
    one, two = shipped(shipped_room=""), shipped(shipped_room="x = 1")
    consent = Permissions(consents=frozenset({one.sha256, two.sha256}))
    assert "same name" in refusal(acme("shipped_room:Room"), consent, one, two)


def test_files_that_can_hold_code_take_consent_to_their_hash(tmp_path: Path) -> None:
    policy = tmp_path / "policy.pkl"
    policy.write_bytes(b"\x80\x04.")
    digest = hashlib.sha256(policy.read_bytes()).hexdigest()
    specification = cartpole(kwargs={"policy": policy})
    with pytest.raises(ConsentRequired) as error:
        plan_build(specification, NOTHING).check()
    assert error.value.hashes == (digest,)
    plan_build(specification, Permissions(consents=frozenset({digest}))).check()
    plan_build(specification, Permissions(("gymnasium.envs",))).check()


def test_gymnasiums_own_wrappers_may_run_with_plain_arguments() -> None:
    wrapper = WrapperSpecification(
        "FrameStackObservation",
        "gymnasium.wrappers.stateful_observation:FrameStackObservation",
        {"stack_size": 4},
    )
    (_, run) = plan_build(cartpole(wrappers=(wrapper,)), NOTHING).runs
    assert str(run) == f"{wrapper.entry_point}(stack_size=4)  [gymnasium's own wrapper]"


@pytest.mark.parametrize(
    ("entry_point", "kwargs", "problem"),
    [
        ("gymnasium.wrappers:FrameStackObservation", {"stack_size": 5000}, "is more than"),
        (
            "gymnasium.wrappers:FrameStackObservation",
            {"stack_size": 4, "padding_type": "os:system"},
            "may name",
        ),
        ("gymnasium.wrappers:ClipReward", {"min_reward": "a:b"}, "may name"),
        ("gymnasium.wrappers:ClipReward", {"env": 3}, "another environment"),
        ("gymnasium.wrappers:ClipReward", {"__class__": 3}, "of the name"),
        ("gymnasium.wrappers:RecordVideo", {"video_folder": "x"}, "neither registered"),
        ("gymnasium.wrappers:HumanRendering", {}, "neither registered"),
        ("gymnasium.wrappers:TransformReward", {"func": "os:system"}, "neither registered"),
        ("gymnasium.wrappers:TransformObservation", {"func": "eval"}, "neither registered"),
        ("gymnasium:make", {"id": "x"}, "neither registered"),
        ("acme_nowhere:Wrapper", {}, "not installed"),
        ("os:system", {"command": "x"}, "part of Python"),
        ("no entry point", {}, "is no entry point"),
    ],
)
def test_wrappers_that_may_not(entry_point: str, kwargs: dict[str, object], problem: str) -> None:
    assert problem in refusal(cartpole(wrappers=(WrapperSpecification("W", entry_point, kwargs),)))


def test_wrappers_multiply_each_other() -> None:
    stack = WrapperSpecification("F", "gymnasium.wrappers:FrameStackObservation", {"stack_size": 1000})
    assert "multiply" in refusal(cartpole(wrappers=(stack, stack)))
    clip = WrapperSpecification("C", "gymnasium.wrappers:ClipReward", {"min_reward": 0})
    assert "more than 50 times" in refusal(cartpole(wrappers=(clip,) * 51))


def test_wrappers_registered_with_the_environment_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    known = gymnasium.envs.registration.WrapperSpec(
        "W", "acme_wrappers:W", {"shape": (1, 2), "deep": {"a": [1.5, None]}}
    )
    spec = gymnasium.envs.registration.EnvSpec(
        "Wrapped-v0", entry_point=CARTPOLE, additional_wrappers=(known,)
    )
    monkeypatch.setitem(gymnasium.registry, "Wrapped-v0", spec)

    def wrapped(**kwargs: object) -> EnvironmentSpecification:
        wrapper = WrapperSpecification("anything", "acme_wrappers:W", kwargs)
        return EnvironmentSpecification("Wrapped-v0", CARTPOLE, wrappers=(wrapper,))

    assert plan_build(wrapped(shape=(1, 2), deep={"a": [1.5, None]}), NOTHING).refusals == ()
    assert plan_build(wrapped(shape=[1, 2], deep={"a": [1.5, None]}), NOTHING).refusals == ()
    for kwargs in (
        {},
        {"shape": (1, 3), "deep": {"a": [1.5, None]}},
        {"shape": (1, 2), "deep": {"a": [True, None]}},
    ):
        assert "neither registered" in refusal(wrapped(**kwargs))


def test_what_people_see_holds_nothing_that_a_terminal_obeys(installed: Path) -> None:
    plan = plan_build(
        acme(kwargs={"name": "\x1b[2J\u202eevil", "long": "x" * 1000, "array": np.zeros(3)}), ACME
    )
    (run,) = plan.runs
    assert str(run).isprintable()
    assert "\u202e" not in str(run)
    assert len(str(run)) < 400
    assert "array=<ndarray>" in str(run)
