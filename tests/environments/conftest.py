"""A package of environments that somebody has installed, and code that arrives with data."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRONMENTS = '''
import os
import subprocess
from os import path, system
from subprocess import Popen

import gymnasium
from gymnasium import make
from gymnasium.wrappers import RecordVideo
from {other} import Elsewhere

MADE = []


class Room(gymnasium.Env):
    """Heats towards a target; deterministic but for the seeded start."""

    observation_space = gymnasium.spaces.Box(-100, 100, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    class Small(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Discrete(2)

    class Settings:
        pass

    def __init__(self, target=20.0, name="room", table=None):
        self.target, self.name, self.table = target, name, table
        MADE.append(name)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.uniform(0, 10, 2).astype("float32")
        return self.state.copy(), {{}}

    def step(self, action):
        self.state = (self.state + (self.target - self.state) * 0.1 * action).astype("float32")
        return self.state.copy(), float(self.state[0]), False, False, {{}}


class Doubled(gymnasium.Wrapper, gymnasium.utils.RecordConstructorArgs):
    def __init__(self, env, factor=2.0):
        gymnasium.utils.RecordConstructorArgs.__init__(self, factor=factor)
        gymnasium.Wrapper.__init__(self, env)
        self.factor = factor

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        return observation, reward * self.factor, *rest


class NoEnvironment:
    pass


def make_room(target=20.0):
    return Room(target, "made")


def make_nothing():
    return object()


def fail():
    raise RuntimeError("the constructor failed")


def leave():
    raise SystemExit("the process should end")


compute = lambda: Room()
room = Room()
'''

ELSEWHERE = """
import gymnasium


class Elsewhere(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)


class AnyWrapper(gymnasium.Wrapper):
    pass
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``acme_envs`` and ``acmeelsewhere`` can be imported, and are not; what a test imported is taken out again."""
    site = tmp_path / "site-packages"
    (site / "acme_envs").mkdir(parents=True)
    (site / "acme_envs" / "__init__.py").write_text("from acme_envs.rooms import Room\n")
    (site / "acme_envs" / "rooms.py").write_text(ENVIRONMENTS.format(other="acme_envs_evil"))
    (site / "acme_envs_evil.py").write_text(ELSEWHERE)
    (site / "acme_broken.py").write_text("raise RuntimeError('at import')\n")
    (site / "acme_leaving.py").write_text("raise SystemExit('at import')\n")
    (site / "acme_needy.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(site))
    finders = list(sys.meta_path)
    yield site
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name.startswith(("acme_", "shipped_"))]:
        del sys.modules[name]
