"""The stores under test: a folder, a real S3 server on the loopback, and obstore's memory for what is not S3's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from obstore.store import MemoryStore

from pytupli_registry.server.objects import ObjectStore, open_store
from pytupli_registry.server.objects.cloud import CloudStore
from tests.server.support.line import Line
from tests.server.support.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def line(s3) -> Iterator[Line]:
    """A way to the S3 server that can be cut."""
    with Line(s3.port) as line:
        yield line


@pytest.fixture
def folder(tmp_path) -> ObjectStore:
    return open_store(tmp_path / "objects", fsync=False)


@pytest.fixture
def cloud(s3, tmp_path) -> ObjectStore:
    return open_store(s3.url(), s3.options(), spool=tmp_path / "spool")


@pytest.fixture(params=["folder", "s3", "memory"])
def store(request, tmp_path) -> ObjectStore:
    if request.param == "folder":
        return request.getfixturevalue("folder")
    if request.param == "s3":
        return request.getfixturevalue("cloud")
    return CloudStore(MemoryStore(), spool=tmp_path)
