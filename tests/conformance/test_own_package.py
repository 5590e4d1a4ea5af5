"""Our own package beside the oldest client that it allows: logged in by `pytupli login` alone, at a real Hub."""

import json
import os
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conformance.support.clients import CLIENTS, OLDEST_OF_OURS, Client
from tests.server.support.live import LiveHub
from tests.support.network import Network

ROOT = Path(__file__).parents[2]
STORY = Path(__file__).with_name("old_client_story.py")
LIMIT_S = 120


@pytest.fixture
def network(tmp_path):
    hub = LiveHub(tmp_path / "hub").start()
    with Network(hub.port) as found:
        yield found, hub.person("alice").token
    hub.stop()


def tell(client: Client, home: Path, *chapters: str) -> str:
    """Play chapters of the story in a process of their own; return the release of the client that was used."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUGGING", "MINARI_", "PYTEST_", "PYTUPLI_", "PYTHON"))
    }
    places = {f"PYTUPLI_{name}_PATH": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATASETS")}
    # All but the client comes from the project's own environment, behind what the client's own has.
    command = [client.python(), STORY, "--and", sysconfig.get_path("purelib"), *chapters]
    done = subprocess.run(
        command,
        cwd=home,
        env={**kept, **places, "HOME": str(home), "HF_HOME": str(home / "hf"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["huggingface_hub"]


def test_the_oldest_client_allowed_is_the_one_that_is_tried():
    wanted = next(
        one
        for one in map(
            Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        )
        if one.name == "huggingface_hub"
    )
    assert str(wanted.specifier) == f">={OLDEST_OF_OURS.name}"
    assert OLDEST_OF_OURS.release == f"{OLDEST_OF_OURS.name}.0"


@pytest.mark.slow
@pytest.mark.parametrize(
    "client",
    [
        OLDEST_OF_OURS,
        *(
            pytest.param(CLIENTS[name], marks=pytest.mark.extended)
            for name in ("0.30", "0.36", "1.19", "newest")
        ),
    ],
    ids=lambda client: client.name,
)
def test_publish_load_and_append(client, network, tmp_path):
    counted, token = network
    home = tmp_path / "home"
    home.mkdir()
    release = tell(client, home, "login", counted.endpoint, token, "publish")
    assert release == client.release or client.release is None
    counted.forget()
    tell(client, home, "load")
    travelled = sum(one.received for one in counted.log if "main_data" in one.asked.target)
    size = (home / "datasets" / "hvac" / "summer-v0" / "data" / "main_data.hdf5").stat().st_size
    assert size / 12 < travelled < size / 8  # one of ten episodes, and little else
    tell(client, home, "add", "find", "pull")
