"""Runs the cases inside a client's environment, against one Hub."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from tests.conformance.support.clients import Client
from tests.conformance.support.hubs import RunningHub

CASES = Path(__file__).parents[1] / "cases"
LIMIT_S = 1200
# Clients of these names upload through Xet unless they are told not to.
XET = ("newest",)


def run_cases(
    client: Client, hub: RunningHub, place: Path, *, xet: bool = True, left_out: tuple[str, ...] = ()
) -> str:
    """Run all cases that ``client`` offers, but for the files ``left_out``; return what pytest printed.

    Raises:
        AssertionError: a case failed or was skipped.
    """
    uses_xet = xet and client.name in XET
    command = [
        client.python(),
        "-m",
        "pytest",
        "-c",
        CASES / "pytest.ini",
        "--rootdir",
        CASES,
        *(f"--ignore={CASES / name}" for name in left_out),
        CASES,
    ]
    done = subprocess.run(
        [*map(str, command), "--basetemp", str(place / "pytest"), "-q", "--durations=8", "-p", "no:xdist"],
        cwd=place,
        env=_environment(hub, place, uses_xet=uses_xet),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{said}\n--- the Hub's log ---\n{hub.log.read_text()[-4000:]}"
    assert not re.search(r"\d+ (skipped|xfailed|xpassed)", said.splitlines()[-1]), said
    return said


def _environment(hub: RunningHub, place: Path, *, uses_xet: bool) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUGGING", "MINARI_", "PYTEST_", "PYTUPLI_", "PYTHONPATH"))
    }
    home = place / "home"
    home.mkdir()
    expired_since = time.sleep(0.5)  # one of the tokens ends half a second after it was made
    del expired_since
    chosen = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": hub.description["accounts"]["owner"]["token"],
        "HF_HOME": str(home / "hf"),
        "HOME": str(home),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "CONFORMANCE_HUB": json.dumps({**hub.description, "xet": uses_xet}),
    }
    if not uses_xet:
        chosen["HF_HUB_DISABLE_XET"] = "1"
    return {**kept, **chosen}
