"""Every block of the README and of each page in docs/ runs, in order, in one home a page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.support.live import LiveHub

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What cannot run inside the tests: installing is tested by test_packaging.py, the demo by test_demo.py, and
# `make test` is what runs this. The values are the commands the Makefile must know.
ELSEWHERE = {
    "make demo": "demo",
    "make test": "test",
    "make bench": "bench",
    "make check": "check",
    "pip install pytupli-registry": None,
    "pip install pytupli-d3rlpy": None,
    "pip install pytupli-minari": None,
    "pip install 'pytupli-registry[server]'": None,
    # A Hub is started before the blocks run; tests/server/test_story.py starts one as a user does.
    "pytupli-server init ./hub --token": None,
    "pytupli-server start ./hub": None,
    "export HF_ENDPOINT=http://127.0.0.1:8000": None,
}

# Pages whose blocks run by themselves; the others show output, syntax or commands that the README runs.
DOCUMENTS = [
    "README.md",
    "docs/introduction.md",
    "docs/benchmarks.md",
    "docs/datasets.md",
    "docs/adapters.md",
    "docs/artifacts.md",
    "docs/environments.md",
    pytest.param("docs/catalog.md", marks=pytest.mark.extended),  # tests/catalog runs the same
    "docs/recording.md",
    "docs/scores.md",
    "docs/verification.md",
    "docs/how-to/teams.md",
    "docs/how-to/offline.md",
    "docs/how-to/moving-from-pytupli.md",
]


def blocks(document: str = "README.md") -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / document).read_text())


def test_every_block_is_of_a_kind_that_runs():
    assert {kind for kind, _ in blocks()} == {"python", "bash"}


def test_commands_tested_elsewhere_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in filter(None, ELSEWHERE.values()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.fixture
def hub(tmp_path):
    """A Hub for the page's commands."""
    live = LiveHub(tmp_path / "hub").start()
    live.person("uma")
    yield live
    live.stop()


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS)
def test_blocks_run_in_order(document, tmp_path, hub):
    (tmp_path / "token.txt").write_text(hub.person("ada").token)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "huggingface"),
        "HF_ENDPOINT": hub.endpoint,
        "PYTUPLI_DATASETS_PATH": str(tmp_path / ".minari" / "datasets"),
        "MINARI_DATASETS_PATH": str(tmp_path / ".minari" / "datasets"),
        "PYTUPLI_CACHE_PATH": str(tmp_path / "cache"),
        "PYTUPLI_CONFIG_PATH": str(tmp_path / "config"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for kind, text in blocks(document):
        if kind not in {"python", "bash"}:  # what goes into somebody's pyproject.toml
            continue
        script = text
        if kind == "bash":
            lines = [line for line in text.splitlines() if line.split("#")[0].strip() not in ELSEWHERE]
            script = "\n".join(lines)
        command = [sys.executable, "-c", script] if kind == "python" else ["bash", "-euc", script]
        finished = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
        )
        assert finished.returncode == 0, f"{text}\n{finished.stdout[-2000:]}\n{finished.stderr[-4000:]}"
