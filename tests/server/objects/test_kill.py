"""Processes killed at any moment."""

import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytupli_registry.server.objects import open_store


@pytest.mark.slow
def test_a_folder_survives(tmp_path):
    command = [sys.executable, Path(__file__).with_name("kill_rounds.py"), tmp_path / "objects", "100", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    acknowledged, _, left = map(int, done.stdout.split())
    assert acknowledged > 100
    assert left > 10  # or it was never killed in the middle


UPLOAD = """
import json, pathlib, random, sys
from pytupli_registry.server.objects import open_store
url, options, spool, seed = sys.argv[1:]
store = open_store(url, json.loads(options), spool=pathlib.Path(spool))
chance = random.Random(int(seed))
print("ready", flush=True)
while True:
    with store.stage() as staged:
        for _ in range(12):
            staged.write(chance.randbytes(1_000_000))
        staged.publish("blobs/" + staged.sha256)
        print(staged.sha256, flush=True)
"""


@pytest.mark.slow
def test_a_bucket_survives(s3, tmp_path):
    url, acknowledged = s3.url(), set()
    for seed in range(8):
        command = [sys.executable, "-c", UPLOAD, url, json.dumps(s3.options()), tmp_path, str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            begun = time.monotonic()
            acknowledged.add(process.stdout.readline().strip())
            took = time.monotonic() - begun
            time.sleep(random.Random(seed).uniform(0, took))  # anywhere in the second object
            process.kill()
            acknowledged |= set(process.stdout.read().split())
    store = open_store(url, s3.options(), spool=tmp_path)
    seen = {found.key.removeprefix("blobs/") for found in store.list()}
    for sha256 in seen:
        digest = hashlib.sha256()
        for block in store.read(f"blobs/{sha256}"):
            digest.update(block)
        assert digest.hexdigest() == sha256
    assert len(acknowledged) >= 8
    assert acknowledged <= seen
    assert list(tmp_path.iterdir()) == []
