"""Run by ``test_kill``: writers that are killed, and what is left of their work.

``kill_rounds.py DIRECTORY ROUNDS SEED`` prints one JSON object: how many writers were killed, and where.

Each round forks a writer that creates or extends a dataset and kills it: after a random time, or at a random one of
the operations (open, rename, mkdir, …) that Python reports to audit hooks. What is left is examined in a process of
its own, so that this one never starts a thread and may be forked again.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet  # noqa: F401 - imported here once, and not in every child

from pytupli_registry.dataset.episode import Episode
from pytupli_registry.storage.commit import discard, recover, unfinished
from pytupli_registry.storage.local import open_directory
from pytupli_registry.storage.writer import DatasetWriter

with contextlib.suppress(ImportError):
    import pandas as pd  # noqa: F401 - pyarrow imports it, which would take longer than a whole round

ID = "deep/space/killed-v0"
SPACES = {
    "observation_space": {
        "type": "Dict",
        "subspaces": {
            "x": {"type": "Box", "dtype": "float64", "shape": [2], "low": [-9, -9], "high": [9, 9]},
            "said": {"type": "Text", "max_length": 9, "min_length": 1, "charset": "abc"},
        },
    },
    "action_space": {"type": "Discrete", "dtype": "int64", "start": 0, "n": 1 << 40},
}


def episode(serial: int) -> Episode:
    """Return the episode of that number, always the same."""
    rng = np.random.default_rng(serial)
    steps = int(rng.integers(1, 30))
    last = np.arange(steps) == steps - 1
    return Episode(
        observations={"x": rng.normal(size=(steps + 1, 2)), "said": [f"s{serial}"] * (steps + 1)},
        actions=rng.integers(0, 1 << 40, steps),
        rewards=rng.normal(size=steps),
        terminations=last,
        truncations=~last & False,
        infos={"odd": rng.normal(size=(steps + 1, 3))} if serial % 3 else {},
        seed=serial,
        metadata={"serial": serial, "name": f"number {serial}"},
    )


def write(root: Path, serials: list[int], acknowledge: int) -> None:
    """Create the dataset, or append to it."""
    cache = root / ".cache"
    if (root / ID).exists():
        writer = DatasetWriter.append_to(root, ID, cache=cache)
    else:
        writer = DatasetWriter.create(root, ID, **SPACES, cache=cache)
    with writer:
        for serial in serials:
            writer.add(episode(serial))
            os.write(acknowledge, b".")


def stored(root: Path) -> list[int]:
    """Return the serials of the episodes in the dataset, once every value has been compared through h5py."""
    path = root / ID / "data" / "main_data.hdf5"
    if not path.exists():
        assert not path.parent.exists(), "half a dataset"
        return []
    found = []
    with h5py.File(path, "r") as file:
        for position in range(len(file)):
            group = file[f"episode_{position}"]
            expected = episode(int(group.attrs["serial"]))
            assert group.attrs["id"] == position
            assert group.attrs["name"] == expected.metadata["name"]
            found.append(expected.seed)
            for name, values in expected.leaves().items():
                if isinstance(values, list):
                    assert [text.decode() for text in group[name][()]] == values
                else:
                    np.testing.assert_array_equal(group[name][()], values, strict=True)
    return found


def examine(root: Path, before: list[int], serials: list[int], acknowledged: int) -> list[int]:
    """Check that the dataset is the old or the new one, and that recovery brings every acknowledged episode."""
    left = stored(root)
    assert left in (before, before + serials), (before, left, serials)
    assert not (left != before and any(found.episodes == 0 for found in unfinished(root)))
    for spool in unfinished(root):
        assert not spool.live
        if spool.episodes == 0:
            discard(spool.spool)
        else:
            recover(spool.spool, root / ".cache")
    after = stored(root)
    assert after[: len(before)] == before
    added = after[len(before) :]
    assert added == serials[: len(added)]
    assert len(added) >= acknowledged, (len(added), acknowledged)
    if after:
        dataset = open_directory(root / ID / "data", root / ".cache")
        assert [found.metadata["serial"] for found in dataset] == after
        assert dataset.episode_count == len(after)
    assert not unfinished(root)
    return after


def in_child(work, *arguments) -> int:
    """Fork, do the work in the child, and return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        work(*arguments)
        os._exit(0)
    finally:  # only after an exception
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def die_at(operation: int) -> None:
    """Kill this process at that one of the operations it asks the system for."""
    left = [operation]

    def count(event: str, arguments) -> None:
        if event in {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "fcntl.flock", "os.truncate"}:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def doomed(root: Path, serials: list[int], acknowledge: int, operation: int | None) -> None:
    if operation is not None:
        die_at(operation)
    write(root, serials, acknowledge)


def main(directory: Path, rounds: int, seed: int) -> None:
    chance, killed, serial, outcomes = random.Random(seed), 0, 0, Counter()
    root, lasts = directory / "store", 0.1
    while killed < rounds:
        before = [] if not (root / ID).exists() else json.loads((root / "serials").read_text())
        if len(before) > 12:
            shutil.rmtree(root)
            before = []
        root.mkdir(exist_ok=True)
        serials = list(range(serial, serial + chance.randint(1, 6)))
        serial += len(serials)
        reading, writing = os.pipe()
        operation = chance.randint(0, 70) if chance.random() < 0.6 else None
        started = time.monotonic()
        child = in_child(doomed, root, serials, writing, operation)
        os.close(writing)
        if operation is None:
            time.sleep(chance.random() * lasts)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            lasts = 0.7 * lasts + 0.3 * (time.monotonic() - started)
        else:
            assert os.WIFSIGNALED(status), "the writer failed by itself"
            killed += 1
        with os.fdopen(reading, "rb") as pipe:
            acknowledged = len(pipe.read())
        outcomes[f"{acknowledged} of {len(serials)}" if status else "finished"] += 1
        status = os.waitpid(in_child(judge, root, before, serials, acknowledged), 0)[1]
        assert status == 0, f"seed {seed}, round {killed}: see above"
    print(json.dumps({"killed": killed, "outcomes": outcomes}))


def judge(root: Path, before: list[int], serials: list[int], acknowledged: int) -> None:
    (root / "serials").write_text(json.dumps(examine(root, before, serials, acknowledged)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
