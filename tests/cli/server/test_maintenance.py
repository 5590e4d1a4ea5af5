"""The commands of administrators, from one to the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from huggingface_hub import HfApi

from pytupli_registry.cli.server import main
from pytupli_registry.server.services.maintenance.locks import running
from tests.server.support.process import ServerProcess, init

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def said(*arguments: object) -> dict:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub with a repository, written by the stock client."""
    directory = tmp_path_factory.mktemp("maintenance") / "hub"
    token = init(directory)
    with ServerProcess(directory) as server:
        api = HfApi(endpoint=server.url, token=token)
        api.create_repo("root/one", repo_type="dataset")
        for name, content in (("a.txt", b"small"), ("b.bin", bytes(range(256)) * 1000)):
            api.upload_file(
                path_or_fileobj=content, path_in_repo=name, repo_id="root/one", repo_type="dataset"
            )
        server.terminate()
    return directory


def test_stats(hub: Path):
    statistics = said("stats", hub)
    assert (statistics["users"], statistics["tokens"], statistics["repositories"]) == (1, 1, {"dataset": 1})
    assert (statistics["commits"], statistics["blobs"], statistics["blobs_bytes"]) == (3, 1, 256_000)
    assert (statistics["sharing"], statistics["small_files"]) == (1.0, 2)
    assert statistics["database_bytes"] > 100_000
    shown = run("stats", hub).stdout
    assert "256,000" in shown
    assert "datasets" in shown


def test_fsck_finds_no_damage(hub: Path):
    findings = said("fsck", hub, "--deep")
    assert (findings["damaged"], findings["noted"], findings["kept"]) == (0, 0, [])
    assert "No damage." in run("fsck", hub).stdout


def test_gc_finds_nothing(hub: Path):
    assert said("gc", hub, "--grace", 0)["removed"] == {}
    assert "Would be removed" in run("gc", hub, "--dry-run").stdout
    assert said("stats", hub)["last_gc"] is not None


def test_gc_is_careful_while_a_server_runs(hub: Path):
    with running(hub):
        assert "--grace 3600" in run("gc", hub, "--grace", 5).stderr


def test_a_backup_becomes_a_hub(hub: Path, tmp_path: Path):
    report = said("backup", hub, tmp_path / "backup")
    assert (report["copied"]["blobs"], report["manifest"]["blobs"]) == (1, 1)
    assert "1 were there" in run("backup", hub, tmp_path / "backup", "--keep", 1).stdout
    restored = run("restore", tmp_path / "backup", tmp_path / "again")
    assert restored.exit_code == 0, restored.output
    assert f"pytupli-server start {tmp_path / 'again'}" in restored.stdout
    assert said("fsck", tmp_path / "again", "--deep")["damaged"] == 0
    before, after = said("stats", hub), said("stats", tmp_path / "again")
    for changed in ("database_bytes", "last_gc", "waiting_xorbs_bytes"):
        del before[changed], after[changed]
    assert before == after


def test_damage_is_told_and_fails(hub: Path, tmp_path: Path):
    run("backup", hub, tmp_path / "backup")
    run("restore", tmp_path / "backup", tmp_path / "hub")
    (blob,) = (path for path in (tmp_path / "hub" / "objects" / "blobs").rglob("*") if path.is_file())
    blob.unlink()
    result = run("fsck", tmp_path / "hub")
    assert result.exit_code == 1
    assert blob.name in result.stdout
    assert "root/one" in result.stdout
    assert "1 damaged" in result.stdout
    as_json = run("fsck", tmp_path / "hub", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["damaged"] == 1
    backup = run("backup", tmp_path / "hub", tmp_path / "another")
    assert backup.exit_code == 1
    assert blob.name in backup.stderr


def test_options_of_object_stores_have_values(tmp_path: Path):
    result = run("restore", tmp_path, tmp_path / "hub", "--objects-option", "region")
    assert result.exit_code == 2
    assert "NAME=VALUE" in result.stderr


def test_no_backup_no_hub(tmp_path: Path):
    result = run("restore", tmp_path / "backup", tmp_path / "hub")
    assert result.exit_code == 1
    assert "There is no snapshot" in result.stderr
    assert not (tmp_path / "hub").exists()
