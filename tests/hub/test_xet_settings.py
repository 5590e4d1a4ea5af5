"""Settings of the stock client's uploads, as hf_xet itself reads them."""

import os

import hf_xet
import pytest

from pytupli_registry.hub.xet_settings import careful_uploads

OURS = {
    "client.ac_initial_upload_concurrency": 1,
    "client.ac_max_upload_concurrency": 1,
    "data.max_concurrent_file_ingestion": 1,
    "data.ingestion_block_size": 1_000_000,
    "data.session_xorb_metadata_flush_max_count": 1,
    "xorb.compression_policy": "bg4-lz4",
}


def read() -> dict[str, object]:
    config = hf_xet.XetConfig()
    return {name: config.get(name) for name in OURS}


def test_hf_xet_understands_every_setting_and_they_go_again() -> None:
    before, environment = read(), dict(os.environ)
    with careful_uploads():
        assert read() == OURS
    assert (read(), dict(os.environ)) == (before, environment)
    assert all(before[name] != value for name, value in OURS.items())


def test_what_the_user_has_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY", "7")
    with careful_uploads():
        assert read() == OURS | {"client.ac_max_upload_concurrency": 7}
    assert os.environ["HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY"] == "7"
