"""Hostile data of every kind: each is refused with a clear error, and nothing of it is imported, called or written.

One process judges all of it, watched by an audit hook from before the first plan to after the last: Python reports every
module it searches for, every process, socket, library and file that is opened for writing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CARTPOLE = "gymnasium.envs.classic_control.cartpole:CartPoleEnv"

ENTRY_POINTS = [
    "os:system",
    "posix:system",
    "nt:system",
    "os.path:join",
    "posixpath:join",
    "subprocess:Popen",
    "subprocess:run",
    "builtins:exec",
    "builtins:eval",
    "builtins:__import__",
    "builtins:open",
    "importlib:import_module",
    "importlib._bootstrap:_gcd_import",
    "runpy:run_path",
    "code:interact",
    "ctypes:CDLL",
    "ctypes.util:find_library",
    "pickle:loads",
    "_pickle:loads",
    "marshal:loads",
    "shelve:open",
    "shutil:rmtree",
    "webbrowser:open",
    "antigravity:geohash",
    "this:s",
    "turtle:Turtle",
    "pty:spawn",
    "socket:create_connection",
    "urllib.request:urlopen",
    "multiprocessing:Process",
    "timeit:timeit",
    "pdb:run",
    "site:main",
    "sys:exit",
    "gymnasium:make",
    "gymnasium.envs.registration:make",
    "gymnasium.envs.registration:load_env_creator",
    "gymnasium.wrappers:RecordVideo",
    "gymnasium.utils.play:play",
    "numpy:load",
    "numpy.f2py:compile",
    "pandas:read_pickle",
    "torch:load",
    "torch.hub:load",
    "d3rlpy:load_learnable",
    "minari:load_dataset",
    "pip:main",
    "setuptools:setup",
    "cffi:FFI",
    "yaml:unsafe_load",
    "cloudpickle:loads",
    "evil_package:Env",
    "evil_package.deeper:Env",
    "evil_package:os.system",
    "evil_package:Env.__init__.__globals__",
    "evil_package:<lambda>",
    "evil_package:Env()",
    " evil_package:Env",
    "evil_package:Env ",
    "evil_package:Env\n",
    ".evil_package:Env",
    "..evil_package:Env",
    "evil_package::Env",
    "evil_package:Env:Env",
    "evil_package",
    "evil_package:",
    ":Env",
    ":",
    "",
    "еvil_package:Env",  # noqa: RUF001 - a Cyrillic letter
    "evil_package：Env",  # noqa: RUF001 - a full-width colon
    "evil_package:Ｅnv",  # noqa: RUF001 - a full-width letter
    "evil\u200b_package:Env",
    "evil_package\0:Env",
    "evil_package/deeper:Env",
    "evil_package:Env; import os",
    "__main__:main",
    "__future__:annotations",
    "gymnasium.envs.classic_control.cartpole:math.sin",
    "gymnasium.envs.classic_control.cartpole:gym.make",
    "gymnasium.envs.classic_control.pendulum:PendulumEnv",
    "GYMNASIUM.envs.classic_control.cartpole:CartPoleEnv",
    CARTPOLE + ".__init__",
    CARTPOLE.lower(),
]

IDS = [
    "evil_package:CartPole-v1",
    "evil_package:Evil-v0",
    "evil_package/CartPole-v1:x",
    "os:system",
    "../CartPole-v1",
    "/CartPole-v1",
]

WRAPPERS = [
    *(
        (entry_point, {})
        for entry_point in ENTRY_POINTS
        if entry_point != "gymnasium.envs.classic_control.pendulum:PendulumEnv"
    ),
    ("gymnasium.wrappers:RecordVideo", {"video_folder": "canary"}),
    ("gymnasium.wrappers.rendering:RecordVideo", {"video_folder": "canary"}),
    ("gymnasium.wrappers:HumanRendering", {}),
    ("gymnasium.wrappers:TransformReward", {"func": "os:system"}),
    ("gymnasium.wrappers:TransformObservation", {"func": "eval", "observation_space": None}),
    ("gymnasium.wrappers:TransformAction", {"func": "exec", "action_space": None}),
    ("gymnasium.wrappers:JaxToTorch", {"device": "cuda"}),
    ("gymnasium.wrappers:NumpyToTorch", {}),
    ("gymnasium.wrappers.vector:RecordEpisodeStatistics", {}),
    ("gymnasium.wrappers:DtypeObservation", {"dtype": "os:system"}),
    ("gymnasium.wrappers:DtypeObservation", {"dtype": "O"}),
    ("gymnasium.wrappers:ClipReward", {"min_reward": "__import__('os').system('id')"}),
    ("gymnasium.wrappers:FrameStackObservation", {"stack_size": 10**12}),
    ("gymnasium.wrappers:FrameStackObservation", {"stack_size": 4, "padding_type": "evil_package:Env"}),
    ("gymnasium.wrappers:FlattenObservation", {"env": "evil_package:Env"}),
    ("gymnasium.wrappers:FlattenObservation", {"__class__": "evil_package:Env"}),
]

ARGUMENTS = [
    {"path": "/etc/passwd"},
    {"path": "../../secret"},
    {"path": "~/.ssh/id"},
    {"policy": "evil.pkl"},
    {"loader": "evil_package:Env"},
    {"loader": "evil_package.deeper"},
    {"url": "https://evil.example/"},
    {"command": "-c"},
    {"command": "id; id"},
    {"code": "__import__('os').system('id')"},
    {"env_id": "evil_package:Evil-v0"},
    {"env_id": "GymV26Environment-v0"},
    {"deep": {"a": [{"b": "evil_package:Env"}]}},
    {"evil_package:Env": 1},
    {"__class__": 1},
    {"self": "evil_package:Env"},
    {"huge": 10**400},
]

JUDGE = """
import json, sys
import gymnasium
from pytupli_registry.environments.building import build, plan_build
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.registering import register_installed
from pytupli_registry.environments.shipped_code import ShippedCode
from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification
from pytupli_registry.errors import ConsentRequired, EnvironmentRefused
import hashlib

def specification(case):
    wrappers = tuple(WrapperSpecification("W", *wrapper) for wrapper in case.get("wrappers", ()))
    return EnvironmentSpecification(case["id"], case["entry_point"], case.get("kwargs", {}), wrappers=wrappers)

def shipped(case):
    modules = {name: text.encode() for name, text in case.get("code", {}).items()}
    if not modules:
        return ()
    content = ShippedCode("", modules).content
    return (ShippedCode.from_bytes(content, hashlib.sha256(content).hexdigest()),)

cases = json.loads(sys.stdin.read())
register_installed()
good = cases.pop(0)
build(specification(good), Permissions()).close()  # imports what is permitted, once
shipped({"code": {"shipped_good.py": ""}})  # and what reading a zip takes

seen = []
harmless = {"object.__getattr__", "sys._getframe", "os.listdir", "builtins.id"}  # the search path is looked through

def watch(event, arguments):
    reads = event == "open" and not set(str(arguments[1])) & set("wax+")
    if event not in harmless and not reads:
        seen.append(f"{event} {arguments!r:.200}")

modules, directory = set(sys.modules), set(gymnasium.registry)
sys.addaudithook(watch)
answers = []
for case in cases:
    code = shipped(case)
    plan = plan_build(specification(case), Permissions(), code)
    try:
        build(specification(case), Permissions(), code)
    except EnvironmentRefused as error:
        answers.append([type(error).__name__, str(error), list(getattr(error, "hashes", ()))])
    else:
        answers.append(["built", str(plan), []])
found = list(seen)
print(json.dumps({
    "answers": answers,
    "events": found,
    "imported": sorted(set(sys.modules) - modules),
    "registered": sorted(set(gymnasium.registry) - directory),
}))
"""

SENTINEL = "open('canary', 'w').close()\nraise SystemExit('ran')\n"

CODE = [
    {"shipped_evil.py": SENTINEL},
    {"shipped_evil/__init__.py": SENTINEL},
    {"json.py": SENTINEL, "shipped_evil.py": SENTINEL},
    {"numpy/__init__.py": SENTINEL, "shipped_evil.py": SENTINEL},
    {"gymnasium/__init__.py": SENTINEL, "shipped_evil.py": SENTINEL},
    {"sitecustomize.py": SENTINEL, "shipped_evil.py": SENTINEL},
]


def cases() -> list[dict[str, object]]:
    return [
        *({"id": "CartPole-v1", "entry_point": text} for text in ENTRY_POINTS),
        *({"id": "Evil-v0", "entry_point": text} for text in ENTRY_POINTS),
        *({"id": text, "entry_point": CARTPOLE} for text in IDS),
        *({"id": text, "entry_point": "evil_package:Env"} for text in IDS),
        *({"id": "CartPole-v1", "entry_point": CARTPOLE, "wrappers": [wrapper]} for wrapper in WRAPPERS),
        *({"id": "CartPole-v1", "entry_point": CARTPOLE, "kwargs": kwargs} for kwargs in ARGUMENTS),
        *({"id": "Evil-v0", "entry_point": "shipped_evil:Env", "code": code} for code in CODE),
        *(
            {"id": "CartPole-v1", "entry_point": CARTPOLE, "wrappers": [["shipped_evil:W", {}]], "code": code}
            for code in CODE
        ),
    ]


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    directory = tmp_path_factory.mktemp("hostile")
    (directory / "evil_package").mkdir()
    for name in ("__init__", "deeper"):
        (directory / "evil_package" / f"{name}.py").write_text(SENTINEL)
    (directory / "evil.pkl").write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    good = {"id": "CartPole-v1", "entry_point": CARTPOLE}
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    environment.pop("PYTUPLI_ALLOWED_MODULES", None)
    done = subprocess.run(
        [sys.executable, "-c", JUDGE],
        input=json.dumps([good, *cases()]),
        text=True,
        capture_output=True,
        cwd=directory,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert not Path(directory, "canary").exists()
    return json.loads(done.stdout)


def test_every_case_is_refused(verdict: dict[str, list]) -> None:
    assert len(verdict["answers"]) == len(cases())
    built = [case for case, (kind, _, _) in zip(cases(), verdict["answers"], strict=True) if kind == "built"]
    assert built == []


def test_every_refusal_is_clear(verdict: dict[str, list]) -> None:
    for case, (kind, said, hashes) in zip(cases(), verdict["answers"], strict=True):
        assert kind in {"EnvironmentRefused", "ConsentRequired"}, case
        assert 40 < len(said) < 1200, (case, said)
        assert said.isprintable(), case
        assert said.rstrip().endswith("."), said
        if kind == "ConsentRequired" and "code" in case:
            assert [len(digest) for digest in hashes] == [64]


def test_nothing_of_it_is_imported_called_opened_or_registered(verdict: dict[str, list]) -> None:
    assert verdict["imported"] == []
    assert verdict["registered"] == []
    assert verdict["events"] == []


def test_only_code_of_its_own_name_can_be_consented_to(verdict: dict[str, list]) -> None:
    shipped = [
        (sorted(case["code"]), kind)
        for case, (kind, _, _) in zip(cases(), verdict["answers"], strict=True)
        if "code" in case
    ]
    for names, kind in shipped:
        replaces = any(
            name.partition("/")[0].removesuffix(".py") in {"json", "numpy", "gymnasium"} for name in names
        )
        assert kind == ("EnvironmentRefused" if replaces else "ConsentRequired"), names
