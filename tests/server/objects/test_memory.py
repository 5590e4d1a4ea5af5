"""Memory does not grow with the size of objects, nor with the number of those that arrive at the same time."""

import json
import subprocess
import sys

import pytest

MEASURE = """
import json, pathlib, sys
from concurrent.futures import ThreadPoolExecutor
from pytupli_registry.server.objects import open_store

MEBIBYTE = 1 << 20
url, options, spool, uploads, size = sys.argv[1:]
store = open_store(url, json.loads(options), spool=pathlib.Path(spool))

def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

def pass_through(number):
    with store.stage() as staged:
        for block in range(int(size)):
            staged.write(f"{number:8}{block:8}".encode() * (MEBIBYTE // 16))
        staged.publish(key := "blobs/" + staged.sha256)
    assert sum(map(len, store.read(key))) == int(size) * MEBIBYTE

store.check()
before = peak()
with ThreadPoolExecutor(int(uploads)) as threads:
    list(threads.map(pass_through, range(int(uploads))))
print(peak() - before)
"""


def growth(url, options, spool, uploads: int, size: int) -> int:
    """Return by how many MiB memory grew at most while ``uploads`` objects of ``size`` MiB came and were read."""
    command = [sys.executable, "-c", MEASURE, url, json.dumps(options), spool, str(uploads), str(size)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_one_large_object_in_a_folder(tmp_path):
    assert growth(tmp_path / "objects", {}, tmp_path, 1, 300) < 16


@pytest.mark.slow
def test_one_large_object_in_the_cloud(s3, tmp_path):
    assert growth(s3.url(), s3.options(), tmp_path, 1, 300) < 100


@pytest.mark.slow
def test_many_objects_at_the_same_time(s3, tmp_path):
    assert growth(s3.url(), s3.options(max_retries="5"), tmp_path, 12, 20) < 220
