"""Environments that installed packages register."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import gymnasium

from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.planning import plan_build
from pytupli_registry.environments.registering import register_installed
from pytupli_registry.environments.specification import EnvironmentSpecification

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REGISTERS = """
import gymnasium

class Room(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)

def register():
    if "AcmeRegistered-v0" not in gymnasium.registry:
        gymnasium.register("AcmeRegistered-v0", entry_point="acme_registering:Room")
"""


def test_installed_packages_make_their_ids_known(installed: Path, caplog: pytest.LogCaptureFixture) -> None:
    (installed / "acme_registering.py").write_text(REGISTERS)
    info = installed / "acme_registering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-registering\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[pytupli_registry.environments]\nacme = acme_registering:register\ngone = acme_nowhere:register\n"
    )
    specification = EnvironmentSpecification("AcmeRegistered-v0", "acme_registering:Room")
    try:
        with caplog.at_level(logging.WARNING):
            plan = plan_build(specification, Permissions())
        assert [str(run) for run in plan.runs] == ["acme_registering:Room()  [registered]"]
        assert "environments of 'gone' cannot be registered" in caplog.text
        register_installed()
        assert gymnasium.spec("AcmeRegistered-v0").entry_point == "acme_registering:Room"
    finally:
        gymnasium.registry.pop("AcmeRegistered-v0", None)
