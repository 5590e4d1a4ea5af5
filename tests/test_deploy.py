"""The examples in deploy/: the Caddyfile with a real Caddy in front of a real Hub; names and paths of the others."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from configparser import RawConfigParser
from pathlib import Path

import httpx2 as httpx
import pytest
import yaml
from huggingface_hub import CommitOperationAdd, HfApi

from pytupli_registry.cli.server.group import COMMANDS
from pytupli_registry.server.settings import Settings
from tests.server.faults.conftest import free_port
from tests.server.support.process import ServerProcess, init

DEPLOY = Path(__file__).parents[1] / "deploy"
CADDY = Path(sys.executable).with_name("caddy")


@pytest.fixture
def proxied(tmp_path: Path):
    """A Hub behind Caddy: the public URL, and the administrator's token."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    token = init(tmp_path / "hub", "--public-url", url)
    with ServerProcess(tmp_path / "hub") as server:
        environment = {
            "HUB_DOMAIN": url,
            "HUB_ADDRESS": f"127.0.0.1:{server.port}",
            "HOME": str(tmp_path),
            "XDG_DATA_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
        }
        text = (DEPLOY / "Caddyfile").read_text()
        (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
        command = [CADDY, "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"]
        with (tmp_path / "caddy.log").open("wb") as log:
            caddy = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            wait_for(f"{url}/health")
            yield url, token
        finally:
            caddy.terminate()
            caddy.wait(20)


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            httpx.get(url)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} does not answer")


@pytest.mark.slow
def test_the_stock_client_works_through_caddy(proxied, tmp_path: Path):
    url, token = proxied
    api = HfApi(endpoint=url, token=token)
    api.create_repo("root/one", repo_type="dataset")
    content = os.urandom(3 << 20)
    api.upload_file(
        path_or_fileobj=content, path_in_repo="a b/ü.bin", repo_id="root/one", repo_type="dataset"
    )
    path = api.hf_hub_download("root/one", "a b/ü.bin", repo_type="dataset", cache_dir=tmp_path / "cache")
    assert Path(path).read_bytes() == content
    change = api.create_commit(
        "root/one",
        [CommitOperationAdd("b.txt", b"proposed")],
        commit_message="a change",
        repo_type="dataset",
        create_pr=True,
    )
    assert change.pr_revision == "refs/pr/1"  # travels as refs%2Fpr%2F1
    files = api.list_repo_files("root/one", repo_type="dataset", revision="refs/pr/1")
    assert set(files) == {".gitattributes", "a b/ü.bin", "b.txt"}


def test_units_run_commands_that_exist():
    for path in DEPLOY.glob("*.service"):
        unit = RawConfigParser(strict=False)
        unit.optionxform = str
        unit.read(path)
        for line in re.findall(r"^ExecStart=(.+)$", path.read_text(), re.MULTILINE):
            program, command, directory = line.split()[:3]
            assert (program, directory) == ("/opt/pytupli/bin/pytupli-server", "/var/lib/pytupli-hub")
            assert command in COMMANDS
        assert unit["Service"]["User"] == "pytupli"
    for timer in DEPLOY.glob("*.timer"):
        assert timer.with_suffix(".service").exists()


def test_compose_sets_what_there_is():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    settings = {
        name.removeprefix("PYTUPLI_SERVER_").lower(): value
        for name, value in services["hub"]["environment"].items()
    }
    assert settings.keys() <= Settings.model_fields.keys()
    assert (DEPLOY.parent / "deploy" / Path(services["hub"]["build"]["dockerfile"]).name).exists()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert all((DEPLOY.parent / name).exists() for names in copied for name in names.split())
