"""A live environment's spec as plain values."""

from __future__ import annotations

import gymnasium
import pytest
from gymnasium.wrappers import AddRenderObservation, NormalizeReward

from pytupli_registry.environments.specification import (
    EnvironmentSpecification,
    WrapperSpecification,
    specification_of,
)
from pytupli_registry.errors import EnvironmentRefused


class Bare(gymnasium.Wrapper):
    """Keeps no record of its arguments."""


def test_everything_gymnasium_says_is_kept() -> None:
    env = NormalizeReward(gymnasium.make("Pendulum-v1", g=9.0, max_episode_steps=30), gamma=0.9)
    assert specification_of(env.spec) == EnvironmentSpecification(
        "Pendulum-v1",
        "gymnasium.envs.classic_control.pendulum:PendulumEnv",
        {"g": 9.0},
        30,
        None,
        False,
        True,
        (
            WrapperSpecification(
                "NormalizeReward",
                "gymnasium.wrappers.stateful_reward:NormalizeReward",
                {"gamma": 0.9, "epsilon": 1e-8},
            ),
        ),
    )


def test_how_it_is_shown_is_kept_only_if_the_agent_sees_it() -> None:
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    assert specification_of(env.spec).kwargs == {}
    with AddRenderObservation(env) as pictures:
        assert specification_of(pictures.spec).kwargs == {"render_mode": "rgb_array"}


def test_what_data_cannot_name_is_refused() -> None:
    with pytest.raises(EnvironmentRefused, match="function"):
        specification_of(gymnasium.envs.registration.EnvSpec("X-v0", entry_point=lambda: None))
    with pytest.raises(EnvironmentRefused, match="RecordConstructorArgs"):
        specification_of(Bare(gymnasium.make("CartPole-v1")).spec)


def test_the_files_that_were_read_are_no_part_of_what_is_built(tmp_path) -> None:
    one = EnvironmentSpecification("X-v0", "a:B")
    assert one == EnvironmentSpecification("X-v0", "a:B", files=(tmp_path,))
