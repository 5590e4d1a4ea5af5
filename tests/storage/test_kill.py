"""Writers that are killed leave the old dataset, the new one, or a spool with every episode that was added."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = 104


@pytest.mark.slow
def test_nothing_is_lost_or_half_there_when_writers_are_killed(tmp_path: Path) -> None:
    script = Path(__file__).with_name("kill_rounds.py")
    servers = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        command = [sys.executable, str(script), str(tmp_path / str(seed)), str(ROUNDS), str(seed)]
        servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    killed = 0
    for server in servers:
        output, errors = server.communicate(timeout=600)
        assert server.returncode == 0, errors
        report = json.loads(output)
        killed += report["killed"]
        assert len(report["outcomes"]) > 3, "the kills must hit different moments"
    assert killed >= 200
