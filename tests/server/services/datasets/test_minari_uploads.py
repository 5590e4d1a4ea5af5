"""Stock Minari, in processes of its own, uploads at the same time, lists and downloads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.support.recordings import files_below, record

MINARI = Path(sys.executable).with_name("minari")
DATASETS = ("walker/a-v0", "walker/b-v0", "walker/c-v1", "crawler/left/d-v0")


@dataclass
class Minari:
    """``minari`` as a user runs it: nothing is set but the two addresses, a token, and where files are."""

    hub: object
    home: Path
    token: str = ""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hf"),
            "HF_TOKEN": self.token,
            "HF_ENDPOINT": self.hub.endpoint,
            "MINARI_REMOTE": "hf://acme",
            "MINARI_DATASETS_PATH": str(self.home / "datasets"),
            "COLUMNS": "200",
        }
        return subprocess.Popen(
            [str(MINARI), *arguments],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def upload(self, dataset_id: str) -> subprocess.Popen[str]:
        # Its help says otherwise, but for Hugging Face the option takes the token itself.
        return self.start("upload", dataset_id, "--key-path", self.token)

    def run(self, *arguments: str) -> str:
        return finished([self.start(*arguments)])[0]


def finished(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for all, and return what they printed."""
    try:
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    failed = [output for process, output in zip(processes, outputs, strict=True) if process.returncode]
    assert not failed, failed[0]
    return outputs


@pytest.fixture
def minari(live_hub, tmp_path):
    """Makes users' homes; all are alice's."""

    def make(name: str) -> Minari:
        (tmp_path / name).mkdir()
        return Minari(live_hub, tmp_path / name, live_hub.person("alice").token)

    return make


@pytest.mark.slow
def test_parallel_uploads_lose_nothing(live_hub, minari, tmp_path):
    writers = {dataset_id: minari(f"writer-{number}") for number, dataset_id in enumerate(DATASETS)}
    for dataset_id, writer in writers.items():
        record(dataset_id, writer.home / "datasets", episodes=2)
    finished([writer.upload(dataset_id) for dataset_id, writer in writers.items()])

    api = live_hub.api("alice")
    file = api.hf_hub_download(
        "acme/walker", "namespace_metadata.json", repo_type="dataset", cache_dir=tmp_path / "cache"
    )
    assert json.loads(Path(file).read_text())["datasets"] == ["walker/a-v0", "walker/b-v0", "walker/c-v1"]
    assert {one.id for one in api.list_datasets(filter=["minari", "environment:CartPole-v1"])} == {
        "acme/walker",
        "acme/crawler",
    }

    reader = minari("reader")
    listed = reader.run("list", "remote")
    assert all(dataset_id in listed for dataset_id in DATASETS)
    for dataset_id in ("walker/b-v0", "crawler/left/d-v0"):
        reader.run("download", dataset_id)
        original = writers[dataset_id].home / "datasets" / dataset_id
        assert files_below(reader.home / "datasets" / dataset_id) == files_below(original)


@pytest.mark.slow
def test_a_dataset_without_a_namespace_is_refused_and_others_go_on(minari):
    user = minari("user")
    record("lonely-v0", user.home / "datasets", episodes=2)
    process = user.upload("lonely-v0")
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "has no namespace" in " ".join(output.replace("│", " ").split())
    user.run("list", "remote")
