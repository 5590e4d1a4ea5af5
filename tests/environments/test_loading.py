"""From a permitted entry point to the class it names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import gymnasium
import pytest

from pytupli_registry.environments.loading import load_environment, load_wrapper
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.plan import Ground, PlannedRun
from pytupli_registry.errors import EnvironmentRefused

if TYPE_CHECKING:
    from pathlib import Path

ACME = Permissions(("acme_envs",))


def run(entry_point: str, ground: Ground = Ground.ALLOWED, detail: str = "acme_envs") -> PlannedRun:
    return PlannedRun(entry_point, ground, detail, entry_point)


def test_classes_are_found_and_not_called(installed: Path) -> None:
    found = load_environment(run("acme_envs.rooms:Room.Small"), ACME)
    rooms = sys.modules["acme_envs.rooms"]
    assert found is rooms.Room.Small
    assert load_environment(run("acme_envs:Room"), ACME) is rooms.Room
    assert load_environment(run("acme_envs.rooms:make_room"), ACME) is rooms.make_room
    assert load_wrapper(run("acme_envs.rooms:Doubled"), ACME) is rooms.Doubled
    assert rooms.MADE == ["room"]


def test_what_defines_it_has_to_be_allowed_too(installed: Path) -> None:
    with pytest.raises(EnvironmentRefused, match="is defined in 'acme_envs_evil'") as error:
        load_environment(run("acme_envs.rooms:Elsewhere"), ACME)
    assert error.value.hint == "If you trust it, allow 'acme_envs_evil' too."
    both = Permissions(("acme_envs", "acme_envs_evil"))
    assert load_environment(run("acme_envs.rooms:Elsewhere"), both).__name__ == "Elsewhere"


def test_wrappers_and_environments_are_not_each_other(installed: Path) -> None:
    with pytest.raises(EnvironmentRefused, match=r"no subclass of gymnasium\.Wrapper"):
        load_wrapper(run("acme_envs.rooms:Room"), ACME)
    with pytest.raises(EnvironmentRefused, match=r"no subclass of gymnasium\.Wrapper"):
        load_wrapper(run("acme_envs.rooms:make_room"), ACME)


def test_what_is_registered_has_to_be_a_class(installed: Path) -> None:
    registered = run("acme_envs.rooms:make_room", Ground.REGISTERED, "")
    with pytest.raises(EnvironmentRefused, match=r"no subclass of gymnasium\.Env"):
        load_environment(registered, Permissions())
    elsewhere = run("acme_envs.rooms:Elsewhere", Ground.REGISTERED, "")
    assert load_environment(elsewhere, Permissions()).__name__ == "Elsewhere"


def test_compatibility_layers_are_no_environments(installed: Path) -> None:
    source = "import gymnasium\nclass GymV26CompatibilityV0(gymnasium.Env):\n    pass\n"
    (installed / "shimmy.py").write_text(source)
    (installed / "acme_layer.py").write_text(
        "import shimmy\nclass Mine(shimmy.GymV26CompatibilityV0):\n    pass\n"
    )
    try:
        with pytest.raises(EnvironmentRefused, match="makes other environments"):
            load_environment(run("acme_layer:Mine", Ground.REGISTERED, ""), Permissions())
        allowed = Permissions(("acme_layer",))
        assert (
            load_environment(run("acme_layer:Mine", Ground.ALLOWED, "acme_layer"), allowed).__name__ == "Mine"
        )
    finally:
        sys.modules.pop("shimmy", None)


def test_gymnasiums_own_wrappers_are_taken_from_the_list() -> None:
    found = load_wrapper(run("gymnasium.wrappers:ClipReward", Ground.OWN_WRAPPER, ""), Permissions())
    assert found is gymnasium.wrappers.ClipReward
