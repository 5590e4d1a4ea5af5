"""What holds of a store in the cloud: outages, redirects, secrets."""

import hashlib
import os
import socket
import time
import traceback
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from pytupli_registry.server.objects import StoreUnavailable, open_store
from pytupli_registry.server.settings import SettingsError
from tests.server.support.s3 import ACCESS_KEY, SECRET_KEY

MEBIBYTE = 1 << 20


def put(store, content: bytes) -> str:
    with store.stage() as staged:
        staged.write(content)
        staged.publish(key := f"blobs/{staged.sha256}")
    return key


def get(store, key: str) -> bytes:
    return b"".join(store.read(key))


@pytest.fixture
def far(s3, line, tmp_path):
    """A store behind the line that can be cut."""
    return open_store(
        s3.url(), s3.options(endpoint=f"http://127.0.0.1:{line.port}", read_timeout="10s"), spool=tmp_path
    )


class TestOutages:
    def test_nobody_answers(self, far, line):
        key = put(far, b"abc")
        line.cut()
        for ask in (
            lambda: far.read(key),
            lambda: far.read(key, 1, 1),
            lambda: far.size(key),
            lambda: list(far.list()),
            lambda: far.delete(key),
            lambda: put(far, b"xyz"),
            far.check,
        ):
            with pytest.raises(StoreUnavailable):
                ask()
        line.mend()
        far.check()
        assert get(far, key) == b"abc"

    @pytest.mark.parametrize(("size", "limit"), [(MEBIBYTE, MEBIBYTE // 2), (30 * MEBIBYTE, 20 * MEBIBYTE)])
    def test_cut_off_while_publishing(self, far, line, size, limit):
        content = os.urandom(size)
        key = f"blobs/{hashlib.sha256(content).hexdigest()}"
        line.limit = limit
        with pytest.raises(StoreUnavailable):
            put(far, content)
        line.mend()
        assert far.size(key) is None
        assert list(far.list()) == []
        assert put(far, content) == key
        assert hashlib.sha256(get(far, key)).hexdigest() in key

    def test_publishing_can_be_tried_again(self, far, line):
        line.cut()
        with far.stage() as staged:
            staged.write(b"abc" * 5 * MEBIBYTE)
            key = f"blobs/{staged.sha256}"
            with pytest.raises(StoreUnavailable):
                staged.publish(key)
            line.mend()
            staged.publish(key)
        assert far.size(key) == 15 * MEBIBYTE

    def test_cut_off_while_reading(self, far, line):
        key = put(far, os.urandom(20 * MEBIBYTE))
        line.mend()
        line.limit = 8 * MEBIBYTE
        with pytest.raises(StoreUnavailable):
            get(far, key)

    def test_cut_off_once_while_reading(self, far, line):
        key = put(far, os.urandom(20 * MEBIBYTE))
        blocks = far.read(key)
        digest = hashlib.sha256(next(blocks))
        line.cut()
        line.mend()
        for block in blocks:  # asked for again from where it ended
            digest.update(block)
        assert digest.hexdigest() in key

    def test_a_slow_reader_is_not_an_outage(self, s3, tmp_path):
        url = s3.url()
        key = put(open_store(url, s3.options(), spool=tmp_path), os.urandom(20 * MEBIBYTE))
        store = open_store(url, s3.options(read_timeout="1500ms", max_retries="0"))
        blocks = store.read(key)
        digest = hashlib.sha256(next(blocks))
        time.sleep(2.5)
        for block in blocks:
            digest.update(block)
        assert digest.hexdigest() in key

    def test_a_server_that_never_answers(self, s3, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
            options = s3.options(endpoint=endpoint, read_timeout="300ms", max_retries="0")
            store = open_store("s3://bucket/x", options, spool=tmp_path)
            for ask in (store.check, lambda: store.read("parts/u/1"), lambda: put(store, b"abc")):
                with pytest.raises(StoreUnavailable):
                    ask()

    def test_no_such_bucket(self, s3):
        store = open_store("s3://nobody-made-this", s3.options())
        with pytest.raises(StoreUnavailable):
            store.check()

    def test_errors_hold_no_secrets(self, far, line):
        line.cut()
        with pytest.raises(StoreUnavailable) as caught:
            far.check()
        shown = "".join(traceback.format_exception(caught.value)) + repr(far) + repr(vars(far))
        assert "127.0.0.1" not in caught.value.message
        assert SECRET_KEY not in shown


class TestRedirects:
    @pytest.fixture
    def signing(self, s3, tmp_path):
        return open_store(s3.url(), s3.options(), redirect=True, spool=tmp_path)

    def test_anyone_can_download(self, signing):
        key = put(signing, b"abc")
        url = signing.url(key, expires_s=60, filename='main_data é".hdf5', content_type="application/x-hdf5")
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.read() == b"abc"
            disposition = answer.headers["Content-Disposition"]
            assert disposition == "attachment; filename*=UTF-8''main_data%20%C3%A9%22.hdf5"
            assert answer.headers["Content-Type"] == "application/x-hdf5"

    def test_ranges(self, signing):
        url = signing.url(put(signing, b"abcdef"), expires_s=60, filename="f", content_type="text/plain")
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Range": "bytes=2-3"}), timeout=10
        ) as answer:
            assert (answer.status, answer.read()) == (206, b"cd")

    def test_how_long(self, signing):
        def expires(seconds: int) -> str:
            url = signing.url("parts/u/1", expires_s=seconds, filename="f", content_type="text/plain")
            return parse_qs(urlsplit(url).query)["X-Amz-Expires"][0]

        assert expires(90) == "90"
        assert expires(10**9) == str(7 * 86_400)

    def test_the_secret_stays_here(self, signing):
        url = signing.url("parts/u/1", expires_s=60, filename="f", content_type="text/plain")
        assert SECRET_KEY not in url
        assert ACCESS_KEY in url

    def test_readers_may_know_another_address(self, s3, tmp_path):
        options = s3.options(public_endpoint="https://files.example.org")
        store = open_store(s3.url("prefix"), options, redirect=True, spool=tmp_path)
        key = put(store, b"abc")
        url = urlsplit(store.url(key, expires_s=60, filename="f", content_type="text/plain"))
        assert (url.scheme, url.netloc) == ("https", "files.example.org")
        assert url.path.endswith(f"/prefix/{key}")


class TestConfiguration:
    @pytest.mark.parametrize(
        ("url", "options"),
        [
            ("ftp://host/x", {}),
            ("http://host/x", {}),
            ("memory:///", {}),
            ("s3://", {}),
            ("file://host/x", {}),
            ("file:///tmp/x", {"region": "us-east-1"}),
            ("s3://bucket", {"nonsense": SECRET_KEY}),
            ("s3://bucket", {"max_retries": SECRET_KEY}),
            ("s3://bucket", {"max_retries": "-1"}),
            ("s3://bucket", {"retry_timeout": "inf"}),
            ("s3://bucket", {"read_timeout": SECRET_KEY}),
            ("s3://bucket", {"conditional_put": SECRET_KEY}),
        ],
    )
    def test_mistakes(self, url, options):
        with pytest.raises(SettingsError) as caught:
            open_store(url, options)
        assert str(caught.value).startswith(("objects_url", "objects_options"))
        assert SECRET_KEY not in "".join(traceback.format_exception(caught.value))

    def test_folders(self, tmp_path):
        for url in (tmp_path / "a b", str(tmp_path / "a b"), (tmp_path / "a b").as_uri()):
            assert open_store(url, {}).root == tmp_path / "a b"

    def test_other_clouds(self):
        open_store("gs://bucket/prefix", {"skip_signature": "true"})
        open_store(
            "az://container/prefix", {"account_name": "acme", "account_key": "c2VjcmV0"}, redirect=True
        )
