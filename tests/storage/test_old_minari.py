"""Earlier Minari releases, each in a virtual environment of its own, read what we write."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

DUMP = Path(__file__).with_name("old_minari_dump.py")
HOME = Path(__file__).parents[2] / ".venvs"
# The oldest release that knows our format version, and one in between that and the current one.
RELEASES = ("0.5.0", "0.5.2")
KINDS = ("box", "dict", "discrete", "image", "matrix", "multi", "multibinary", "nested", "text", "tuple")
# Minari 0.5.0 cannot describe a MultiBinary space, whoever wrote it.
NOT_READ = {("0.5.0", "multi"), ("0.5.0", "multibinary"), ("0.5.0", "tuple")}


@pytest.fixture(scope="module", params=RELEASES)
def interpreter(request):
    """The Python of a virtual environment with one release; made when it is not there yet."""
    place = HOME / f"minari-{request.param}"
    HOME.mkdir(exist_ok=True)
    with (HOME / f".{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
            wanted = [f"minari[hdf5]=={request.param}", "gymnasium==1.0.0", "numpy>=2,<3"]
            subprocess.run([str(place / "bin" / "pip"), "install", "--quiet", *wanted], check=True)
            (place / "complete").touch()
    return place / "bin" / "python"


def dumped(interpreter, workshop, dataset_id):
    environment = {**os.environ, "MINARI_DATASETS_PATH": str(workshop.store.root)}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(interpreter), "-W", "ignore", str(DUMP), dataset_id],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def assert_same(found, dataset):
    assert found["total"] == [len(dataset), dataset.step_count]
    for ours, theirs in zip(dataset, found["episodes"], strict=True):
        leaves = ours.leaves()
        assert set(leaves) == set(theirs)
        for path, values in theirs.items():
            if isinstance(leaves[path], list):
                assert leaves[path] == values
            else:
                assert [leaves[path].dtype.str, list(leaves[path].shape)] == values[:2], path
                assert leaves[path].tobytes().hex() == values[2], path
    assert found["filtered"] == np.flatnonzero(dataset.fields["total_return"].values > 0).tolist()


@pytest.mark.parametrize(
    ("interpreter", "kind"),
    [(release, kind) for release in RELEASES for kind in KINDS if (release, kind) not in NOT_READ],
    indirect=True,
)
def test_reads_what_we_write(interpreter, workshop, kind):
    workshop.minari(kind, jpeg_encoding=False).storage.update_episode_metadata(
        [{"month": "June", "level": 3}] * 4
    )
    dataset = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    found = dumped(interpreter, workshop, "zoo/ours-v0")
    assert found["version"] in str(interpreter)
    assert_same(found, dataset)
    assert [attributes["month"] for attributes in found["attributes"]] == ["June"] * 4
    assert [attributes["total_steps"] for attributes in found["attributes"]] == ["4", "7", "1", "3"]
    assert [attributes.get("seed") for attributes in found["attributes"]] == [None, "101", "102", None]


def test_reads_what_we_appended(interpreter, workshop):
    workshop.minari("dict")
    dataset = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    with workshop.store.append("zoo/ours-v0") as writer:
        for episode in dataset:
            writer.add(episode)
    assert_same(dumped(interpreter, workshop, "zoo/ours-v0"), workshop.store.open("zoo/ours-v0"))
