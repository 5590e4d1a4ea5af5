"""Installed packages register their environments; one that is broken stops nobody else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import gymnasium

from pytupli_registry.environments.registering import register_installed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODULE = """
import gymnasium

def register():
    if "acme/Late-v0" not in gymnasium.registry:
        gymnasium.register("acme/Late-v0", entry_point="gymnasium.envs.classic_control:PendulumEnv")
"""


def installed(site: Path, name: str, point: str) -> None:
    metadata = site / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[pytupli_registry.environments]\n{name} = {point}\n")


def test_what_is_installed_is_registered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "late_environments.py").write_text(MODULE)
    installed(tmp_path, "late", "late_environments:register")
    installed(tmp_path, "broken", "no_such_module_anywhere:register")
    installed(tmp_path, "nameless", "late_environments:no_such_function")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        with caplog.at_level(logging.WARNING):
            register_installed()
            register_installed()
        assert gymnasium.make("acme/Late-v0").spec is not None
        assert "pytupli/HVAC-v0" in gymnasium.registry
    finally:
        gymnasium.registry.pop("acme/Late-v0", None)
    assert "'broken' cannot be registered" in caplog.text
    assert "'nameless' cannot be registered" in caplog.text
