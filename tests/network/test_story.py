"""The paper's two stories over the network: two homes, two accounts, processes of their own, and a real Hub.

Company B publishes a private benchmark with artifacts and data to its organization and lets a partner read it.
University A loads the summer, trains, evaluates, publishes its policy and a dataset of its own where it may, and is
refused where it may not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.support.live import LiveHub
from tests.support.clients import Clients, Home

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).parent / "story"


@dataclass(frozen=True)
class Person:
    """Somebody at a computer of their own; every command and script is a process of its own."""

    home: Home
    clients: Clients

    def run(self, script: str, *arguments: object) -> str:
        """Run a script."""
        path = str(SCRIPTS / script)
        done = self.clients.do("script", self.home, path=path, arguments=list(map(str, arguments)))
        assert done["status"] == 0, done
        return str(done["stdout"])

    def pytupli(self, *arguments: object, typed: str = "") -> str:
        """Run a command that succeeds, and return what it prints."""
        done = self._do(arguments, typed)
        assert done["status"] == 0, (arguments, done)
        return str(done["stdout"])

    def refused(self, *arguments: object) -> str:
        """Run a command that fails in the way that commands do, and return what it says."""
        done = self._do(arguments)
        assert done["status"] == 1, (arguments, done)
        return str(done["stderr"])

    def _do(self, arguments: tuple[object, ...], typed: str = "") -> dict[str, Any]:
        return self.clients.do("pytupli", self.home, arguments=list(map(str, arguments)), typed=typed)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path / "hub").start()
    yield live
    live.stop()


@pytest.fixture
def people(hub: LiveHub, tmp_path: Path) -> Iterator[dict[str, Person]]:
    """Brita of the company, Uma of the university, Sten of nowhere: each logs in as people do."""
    found = {}
    with Clients(tmp_path, "pytupli_d3rlpy", "pytupli_minari", "d3rlpy", "minari") as clients:
        for name in ("brita", "uma", "sten"):
            (tmp_path / name).mkdir()
            found[name] = Person(Home(tmp_path / name, hub.endpoint, None), clients)
            found[name].pytupli("login", hub.endpoint, "--token-stdin", typed=hub.person(name).token)
        yield found


@pytest.mark.slow
def test_company_b_publishes_and_university_a_works_with_it(
    hub: LiveHub, people: dict[str, Person], tmp_path: Path
):
    brita, uma, sten = people["brita"], people["uma"], people["sten"]
    identity = brita.run("company.py", brita.home.root).split()[-1]
    brita.pytupli("org", "create", "brightgrid")
    brita.pytupli("publish", "village", "--to", "brightgrid", "--private")
    brita.pytupli("publish", "village", "--to", "brita", "--private")  # for herself only
    private = uma.refused("show", "hf://brightgrid/village/operator-v0")
    brita.pytupli("org", "add", "brightgrid", "uma", "--role", "read")

    # The university may read this one, and cannot tell the other from one that does not exist.
    found = json.loads(uma.pytupli("search", "village", "--json"))
    assert "brightgrid/village" in json.dumps(found)
    assert "brita/village" not in json.dumps(found)
    hidden = uma.refused("show", "hf://brita/village/operator-v0")
    missing = uma.refused("show", "hf://brita/nothing/operator-v0")
    assert hidden.replace("village", "nothing") == missing
    assert private.replace("brightgrid", "brita") == hidden
    assert (
        sten.refused("show", "hf://brightgrid/village/operator-v0").replace("brightgrid", "brita") == hidden
    )

    uma.pytupli("pull", "brightgrid/village/operator-v0", "--save", "village/operator-v0")
    result = tmp_path / "result.json"
    uma.run("university.py", result)
    said = json.loads(result.read_text())
    head = hub.api("brita").repo_info("brightgrid/village", repo_type="dataset").sha
    assert said["commit"] == head
    assert said["episodes"] == 12
    assert len(said["returns"]) == 12
    assert said["env"] == "pytupli/Microgrid-v0"
    assert said["identity"] == identity
    assert said["datasets"] == ["operator-v0", "random-v0"]

    refusal = uma.refused("publish", "village", "--to", "brightgrid")
    assert "right" in refusal
    assert hub.api("brita").repo_info("brightgrid/village", repo_type="dataset").sha == head
    uma.pytupli("org", "create", "university")
    uma.pytupli("publish", "village", "--to", "university", "--public")

    # Everybody may read what the university has published: the company scores the policy.
    score = tmp_path / "score.json"
    brita.run("colleague.py", score)
    assert json.loads(score.read_text())["scores"] == said["scores"]
    files = set(hub.api().list_repo_files("university/village", repo_type="dataset"))
    assert {"random-v0/data/main_data.hdf5", "operator-v0/data/main_data.hdf5", "benchmark.json"} <= files
