"""Clients with fresh caches, and files to upload."""

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.server.support.live import LiveHub
from tests.server.support.s3 import S3Server
from tests.server.support.stock_client import StockClient

REPO = "acme/hvac"


@pytest.fixture(scope="session")
def upload_s3() -> Iterator[S3Server]:
    """An S3 server of these tests."""
    with S3Server() as server:
        yield server


@pytest.fixture(scope="module", params=["folder", pytest.param("cloud", marks=pytest.mark.slow)])
def backends(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of a Hub: SQLite and a folder, or PostgreSQL and S3."""
    if request.param == "folder":
        return {}
    s3 = request.getfixturevalue("upload_s3")
    postgres = request.getfixturevalue("postgres")
    return {"database_url": postgres.database(), "objects_url": s3.url(), "objects_options": s3.options()}


@pytest.fixture
def hub(live_hub: LiveHub) -> LiveHub:
    """A live Hub with the dataset acme/hvac of alice."""
    live_hub.person("alice").api(live_hub.endpoint).create_repo(REPO, repo_type="dataset", private=True)
    return live_hub


@pytest.fixture
def new_client(hub: LiveHub, tmp_path: Path) -> Iterator[Callable[..., StockClient]]:
    """Start stock clients: ``new_client("alice", xet=False, home="second")``."""
    with ExitStack() as running:

        def start(name: str = "alice", *, home: str = "home", **settings) -> StockClient:
            token = hub.person(name).token
            return running.enter_context(StockClient(hub.endpoint, tmp_path / home, token, **settings))

        yield start


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files of every kind that the formats tell apart."""
    random = Random(3)
    contents = {
        "empty.bin": b"",
        "one.bin": b"x",
        "random.bin": random.randbytes(5_000_000),
        "text.csv": b"".join(b"%d,%d,reward\n" % (n, n * n) for n in range(150_000)),
        "floats.h5": struct.pack("<250000f", *(1 + n / 1000 + random.random() / 1e6 for n in range(250_000))),
        "zeros.npy": bytes(3_000_000),
    }
    directory = tmp_path / "files"
    directory.mkdir()
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return {name: directory / name for name in contents}
