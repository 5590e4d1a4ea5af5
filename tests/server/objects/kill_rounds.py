"""Processes that are killed while they store objects in a folder; run by test_kill.py, in a process without threads.

Each child says which objects it was told are stored. Whatever the moment of its death: these are there, whole, and
nothing else can be seen but what is whole, too.
"""

import hashlib
import os
import random
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from pytupli_registry.server.objects import ObjectStore, open_store


def store_for_ever(store: ObjectStore, chance: random.Random, acknowledge: int) -> None:
    for number in range(10**6):
        block = chance.randbytes(chance.randrange(1, 200_000))
        with store.stage() as staged:
            for _ in range(chance.randrange(1, 12)):
                staged.write(block)
            sha256 = staged.sha256
            staged.publish(f"blobs/{sha256}")
        os.write(acknowledge, f"{sha256}\n".encode())
        if number % 3 == 0:
            store.delete(f"blobs/{'0' * 64}")


def killed_child(store: ObjectStore, chance: random.Random) -> list[str]:
    source, acknowledge = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            store_for_ever(store, chance, acknowledge)
        finally:
            os._exit(1)
    os.close(acknowledge)
    with os.fdopen(source) as lines:
        acknowledged = [lines.readline().strip() for _ in range(chance.randrange(1, 8))]
        time.sleep(chance.uniform(0, 0.005))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return acknowledged + lines.read().split()


def main(root: Path, rounds: int, seed: int) -> None:
    store = open_store(root, fsync=False)
    staging = root / "staging"
    acknowledged: set[str] = set()
    left = 0
    for number in range(rounds):
        acknowledged |= set(killed_child(store, random.Random(seed * 1000 + number)))
        remains = len(list(staging.iterdir()))
        assert store.sweep_stale(timedelta(0)) == remains
        assert list(staging.iterdir()) == []
        left += remains
    seen = {found.key.removeprefix("blobs/") for found in store.list()}
    for sha256 in seen:
        content = b"".join(store.read(f"blobs/{sha256}"))
        assert hashlib.sha256(content).hexdigest() == sha256
    assert acknowledged <= seen
    print(len(acknowledged), len(seen - acknowledged), left)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
