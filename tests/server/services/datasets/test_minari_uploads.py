"""Stock Minari, in processes of its own, uploads at the same time, lists and downloads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.support.recordings import files_below, record

MINARI = Path(sys.executable).with_name("minari")
DATASETS = ("walker/a-v0", "walker/b-v0", "walker/c-v1", "crawler/left/d-v0")


def start(hub, home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start ``minari`` as a user would: nothing is set but the two addresses and where files are."""
    (home / "token").write_text(hub.person("alice").token)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_TOKEN": hub.person("alice").token,
        "HF_ENDPOINT": hub.endpoint,
        "MINARI_REMOTE": "hf://acme",
        "MINARI_DATASETS_PATH": str(home / "datasets"),
        "COLUMNS": "200",
    }
    return subprocess.Popen(
        [str(MINARI), *arguments], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finished(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


@pytest.mark.slow
def test_parallel_uploads_lose_nothing(live_hub, tmp_path):
    uploads = []
    for number, dataset_id in enumerate(DATASETS):
        home = tmp_path / f"home-{number}"
        record(dataset_id, home / "datasets", episodes=2)
        uploads.append(start(live_hub, home, "upload", dataset_id, "--key-path", str(home / "token")))
    for upload in uploads:
        finished(upload)

    api = live_hub.api("alice")
    file = api.hf_hub_download(
        "acme/walker", "namespace_metadata.json", repo_type="dataset", cache_dir=tmp_path / "cache"
    )
    assert json.loads(Path(file).read_text())["datasets"] == ["walker/a-v0", "walker/b-v0", "walker/c-v1"]
    assert {one.id for one in api.list_datasets(filter=["minari", "environment:CartPole-v1"])} == {
        "acme/walker",
        "acme/crawler",
    }

    reader = tmp_path / "reader"
    reader.mkdir()
    listed = finished(start(live_hub, reader, "list", "remote"))
    assert all(dataset_id in listed for dataset_id in DATASETS)
    for dataset_id in ("walker/b-v0", "crawler/left/d-v0"):
        finished(start(live_hub, reader, "download", dataset_id))
        original = tmp_path / f"home-{DATASETS.index(dataset_id)}" / "datasets" / dataset_id
        assert files_below(reader / "datasets" / dataset_id) == files_below(original)


@pytest.mark.slow
def test_a_dataset_without_a_namespace_is_refused_and_others_go_on(live_hub, tmp_path):
    home = tmp_path / "home"
    record("lonely-v0", home / "datasets", episodes=2)
    process = start(live_hub, home, "upload", "lonely-v0", "--key-path", str(home / "token"))
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "has no namespace" in output.replace("\n", " ")
    finished(start(live_hub, home, "list", "remote"))
