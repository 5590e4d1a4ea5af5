"""Adapters that are right: every kind of space is recorded, stored, converted and found to agree with h5py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry import api
from pytupli_registry.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

BOX = spaces.Box(-1, 1, (3,), np.float32)
KINDS = {
    "vector": (BOX, BOX, ("d3rlpy", "minari")),
    "scalar": (spaces.Box(-1, 1, (), np.float64), spaces.Discrete(3, start=1), ("d3rlpy", "minari")),
    "dict": (spaces.Dict(b=BOX, a=spaces.Discrete(4)), spaces.Discrete(2), ("d3rlpy", "minari")),
    "goal": (spaces.Dict(observation=BOX, achieved_goal=BOX, desired_goal=BOX), BOX, ("d3rlpy", "minari")),
    "image": (spaces.Box(0, 255, (36, 40, 3), np.uint8), spaces.Discrete(3), ("d3rlpy", "minari")),
    "tuple": (spaces.Tuple((BOX,) * 11), spaces.Tuple((BOX, spaces.Discrete(2))), ("minari",)),
    "text": (spaces.Text(5), spaces.Discrete(2), ("minari",)),
    "multi": (spaces.MultiBinary(4), spaces.MultiDiscrete([3, 4]), ("minari",)),
}


class Sampling(gymnasium.Env):
    """Observations and rewards at random; episodes of three lengths that end in each way, one of them in both."""

    def __init__(self, observation_space: spaces.Space, action_space: spaces.Space) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.ended = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.at = 0
        return self.observation_space.sample(), {"at": 0, "name": "x"}

    def step(self, action):
        self.at += 1
        last = self.at == 2 + self.ended
        terminated, truncated = last and self.ended != 1, last and self.ended != 0
        self.ended += last
        return (
            self.observation_space.sample(),
            self.np_random.random(),
            terminated,
            truncated,
            {"at": self.at},
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_right_adapters_are_found_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    observation_space, action_space, adapters = KINDS[kind]
    action_space.seed(0)
    with Recorder(Sampling(observation_space, action_space), "kinds/one-v0", keep_aborted=True) as env:
        for seed in range(3):
            env.reset(seed=seed)
            for _ in range(2 + seed):
                env.step(action_space.sample())
    report = api.validate("kinds/one-v0")
    assert [problem.message for problem in report.problems if problem.level == "error"] == []
    assert report.adapters_checked == adapters
    assert (report.episodes_checked, report.transitions_checked) == (3, 9)
    assert any("both terminated and truncated" in problem.message for problem in report.problems)
