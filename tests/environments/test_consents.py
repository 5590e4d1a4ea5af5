"""Consents: remembered, withdrawn, and never read out of a broken file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pytupli_registry.environments.consents import ConsentStore
from pytupli_registry.errors import EnvironmentRefused, FormatError, UnsafeFile

A, B = "a" * 64, "b" * 64


def test_what_is_remembered_comes_back_with_its_date_and_purpose(tmp_path) -> None:
    store = ConsentStore(tmp_path / "config")
    assert store.list() == ()
    store.remember(A, "the benchmark hvac")
    store.remember(B, "the benchmark grid\x1b[2J")
    first, second = ConsentStore(tmp_path / "config").list()
    assert (first.sha256, first.what) == (A, "the benchmark hvac")
    assert (second.sha256, second.what) == (B, "the benchmark grid [2J")
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(first.at) < timedelta(minutes=1)


def test_the_first_consent_keeps_its_date(tmp_path) -> None:
    store = ConsentStore(tmp_path)
    store.remember(A, "first")
    before = store.list()
    store.remember(A, "again")
    assert store.list() == before


def test_a_withdrawn_consent_is_gone(tmp_path) -> None:
    store = ConsentStore(tmp_path)
    store.remember(A, "")
    store.remember(B, "")
    assert store.forget(A) is True
    assert store.forget(A) is False
    assert [consent.sha256 for consent in store.list()] == [B]


def test_only_the_owner_may_read_and_write_it(tmp_path) -> None:
    store = ConsentStore(tmp_path / "config")
    store.remember(A, "")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in store.path.parent.iterdir()) == [".consents.lock", "consents.json"]


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_may_write_is_no_consent(tmp_path, mode: int) -> None:
    store = ConsentStore(tmp_path)
    store.remember(A, "")
    store.path.chmod(mode)
    with pytest.raises(UnsafeFile, match="others may write it"):
        store.list()


GOOD = {"sha256": A, "what": "", "at": "2026-01-01T00:00:00+00:00"}
BROKEN = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"version": 2, "consents": []}',
    b'{"version": 1, "consents": {}}',
    b'{"version": 1, "consents": ["' + A.encode() + b'"]}',
    b'{"version": 1, "consents": [{"sha256": "' + A.encode() + b'"}]}',
    json.dumps({"version": 1, "consents": [GOOD, {**GOOD, "sha256": "*"}]}).encode(),
    json.dumps({"version": 1, "consents": [{**GOOD, "sha256": A.upper()}]}).encode(),
    json.dumps({"version": 1, "consents": [{**GOOD, "at": 3}]}).encode(),
    json.dumps({"version": 1, "consents": [{**GOOD, "extra": ""}]}).encode(),
    json.dumps({"version": 1, "consents": [GOOD]}).encode()[:-3],
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_an_error_and_no_consent(tmp_path, content: bytes) -> None:
    store = ConsentStore(tmp_path)
    store.path.write_bytes(content)
    store.path.chmod(0o600)
    for read in (store.list, lambda: store.remember(B, ""), lambda: store.forget(A)):
        with pytest.raises(FormatError, match="no remembered consents") as error:
            read()
        assert "Nothing in it counts as consent" in str(error.value)
    assert store.path.read_bytes() == content


def test_a_file_that_cannot_be_read_is_an_error(tmp_path) -> None:
    (tmp_path / "consents.json").mkdir(mode=0o700)
    with pytest.raises(FormatError, match="cannot be read"):
        ConsentStore(tmp_path).list()


@pytest.mark.parametrize("digest", ["", "*", A[:63], A + "a", "A" * 64, A + "\n"])
def test_only_a_whole_hash_can_be_remembered(tmp_path, digest: str) -> None:
    with pytest.raises(EnvironmentRefused, match="no hash"):
        ConsentStore(tmp_path).remember(digest, "")
    assert not (tmp_path / "consents.json").exists()


def test_two_processes_do_not_lose_each_others_consents(tmp_path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from pytupli_registry.environments.consents import ConsentStore\n"
        "for index in range(20):\n"
        "    ConsentStore(Path(sys.argv[1])).remember(sys.argv[2] * 62 + f'{index:02}', '')\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), letter], env=os.environ)
        for letter in "cd"
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert len(ConsentStore(tmp_path).list()) == 40
