import json
import os

from pytupli_registry.storage.columns import FileIdentity
from pytupli_registry.storage.stamps import Stamps, sha256_of


def stamped(tmp_path):
    data, index = tmp_path / "data", tmp_path / "index"
    data.write_bytes(b"numbers")
    index.write_bytes(b"facts")
    stamps = Stamps(tmp_path / "cache")
    stamps.record(data, index, sha256_of(data))
    return stamps, data, index


def kept(tmp_path):
    return json.loads(next((tmp_path / "cache" / "stamps").glob("*.json")).read_bytes())


def test_touched_files_are_hashed_once(tmp_path):
    stamps, data, index = stamped(tmp_path)
    before = kept(tmp_path)
    os.utime(data, ns=(1, 1))
    os.utime(index, ns=(2, 2))
    assert stamps.find(data) is not None
    after = kept(tmp_path)
    assert after["data"] != before["data"]
    assert after["index"] != before["index"]
    assert stamps.find(data) is not None
    assert kept(tmp_path) == after


def test_other_bytes_of_the_same_size_are_not_trusted(tmp_path):
    for changed in ("data", "index"):
        stamps, data, index = stamped(tmp_path)
        path = {"data": data, "index": index}[changed]
        path.write_bytes(bytes(reversed(path.read_bytes())))
        assert stamps.find(data) is None


def test_file_replaced_while_it_was_verified_is_not_trusted(tmp_path):
    stamps, data, index = stamped(tmp_path)
    verified, digest = FileIdentity.of(data), sha256_of(data)
    data.write_bytes(b"rebmuns")
    stamps.record(data, index, digest, verified)
    assert stamps.find(data) is None
