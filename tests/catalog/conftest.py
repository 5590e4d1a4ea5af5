"""A catalog of one's own, installed as a distribution would be: metadata with an entry point, and a package."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECIPE = """
name = "tiny"
title = "A few steps of CartPole"
description = "For tests."
difficulty = "easy"
licence = "MIT"
requirements = ["gymnasium>=1.0.0"]

[environment]
id = "CartPole-v1"
max_episode_steps = 25

[evaluation]
episodes = 4
seed = 500

[policies.expert]
controller = "acme_benchmarks.controllers:feedback"
arguments = { gain = 0.35 }
description = "State feedback."

[policies.medium]
like = "expert"
epsilon = 0.5

[datasets.random-v0]
description = "Random actions."
episodes = 6
policies = { random = 1.0 }

[datasets.mixed-v0]
description = "Half and half."
episodes = 7
seed = 100
policies = { medium = 0.5, expert = 0.5 }
options = [{ low = -0.05, high = 0.0 }, { low = 0.0, high = 0.05 }]
metadata = { season = "summer" }
"""

CONTROLLERS = """
class Feedback:
    def __init__(self, gain):
        self.gain = gain

    def __call__(self, observation):
        return int(observation[2] + self.gain * observation[3] > 0)

    def reset(self, seed=None):
        pass


def feedback(env, gain):
    return Feedback(gain)
"""


@pytest.fixture
def tiny() -> str:
    """The text of a recipe that takes a moment to build."""
    return RECIPE


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("datasets", "cache", "config"):
        monkeypatch.setenv(f"PYTUPLI_{name.upper()}_PATH", str(tmp_path / name))
    return tmp_path / "datasets"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Install a distribution with a catalog of these recipes, by name of their directory; return the package."""

    def installed(
        recipes: dict[str, str], name: str = "acme", package: str = "acme_benchmarks", initial: str = ""
    ) -> Path:
        site = tmp_path / f"site-{name}"
        home = site / package
        for directory, text in recipes.items():
            (home / directory).mkdir(parents=True)
            (home / directory / "benchmark.toml").write_text(dedent(text))
        (home / "__init__.py").write_text(initial)
        (home / "controllers.py").write_text(CONTROLLERS)
        metadata = site / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[pytupli_registry.catalogs]\n{name} = {package}\n")
        monkeypatch.syspath_prepend(str(site))
        for known in [module for module in sys.modules if module.split(".")[0] == package]:
            monkeypatch.delitem(sys.modules, known)
        return home

    return installed
