"""What an earlier version of a file has does not travel again, and what it only seems to have is not believed."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pytupli_registry import api
from pytupli_registry.remote.opening import whole_file
from pytupli_registry.remote.pulling import plan_pull
from pytupli_registry.storage.mirrors import Mirrors
from tests.remote.conftest import ACTIONS, OBSERVATIONS, make_episodes

DATA = "main_data.hdf5"
COUNT, MORE = 60, 4
_numbers = itertools.count()


@pytest.fixture
def growing(world, home):
    """A published dataset that its owner can make longer; bob's home is another one."""
    repo = f"growing{next(_numbers)}"
    alice = world.hub.api("alice")
    alice.create_repo(f"acme/{repo}", repo_type="dataset")

    class Growing:
        name = f"acme/{repo}/summer-v0"

        def put(self, dataset):
            alice.upload_folder(
                folder_path=Path(dataset.source).parent,
                path_in_repo="summer-v0",
                repo_id=f"acme/{repo}",
                repo_type="dataset",
            )
            return dataset

        def start(self):
            home("owner")
            made = api.write(
                f"{repo}/summer-v0",
                make_episodes(COUNT, 1),
                observation_space=OBSERVATIONS,
                action_space=ACTIONS,
            )
            self.put(made)
            home("bob")

        def grow(self, seed=2):
            home("owner")
            made = self.put(api.append(f"{repo}/summer-v0", make_episodes(MORE, seed)))
            columns = made.columns()
            home("bob")
            return Path(made.source) / DATA, columns

        def open(self):
            return world.open(self.name)

        def whole(self):
            """Bring everything, so that the file lies in the stock client's cache."""
            dataset = self.open()
            dataset.reader.fetcher.fetch_whole()
            world.network.forget()
            return dataset.reader.fetcher.mirror

    made = Growing()
    made.start()
    return made


def travelled(world):
    return sum(exchange.received for exchange in world.network.log if DATA in exchange.asked.target)


def same(found, expected):
    assert found.keys() == expected.keys()
    for path, values in expected.items():
        np.testing.assert_array_equal(found[path], values, err_msg=path)


@pytest.mark.parametrize("is_whole", [True, False])
def test_only_what_is_new_travels(world, growing, is_whole):
    if is_whole:
        growing.whole()
    else:  # the half of it
        growing.open().where(f"episode_id < {COUNT // 2}").columns()
    data, expected = growing.grow()
    size = data.stat().st_size
    world.network.forget()
    dataset = growing.open()
    plan = plan_pull(dataset)
    assert travelled(world) == 0
    same(dataset.columns(), expected)
    share = MORE / (COUNT + MORE) if is_whole else 0.5 + MORE / (COUNT + MORE)
    assert travelled(world) < (0.9 * share + 0.05) * size
    assert plan.wanted_bytes <= plan.travelling_bytes <= travelled(world) + 4_096
    world.network.forget()
    same(growing.open().columns(), expected)
    assert travelled(world) == 0


def test_numbers_alone_do_not_bring_heads(world, growing):
    growing.whole()
    _, expected = growing.grow()
    world.network.forget()
    kept = growing.open().where(f"episode_id in [1, 2, {COUNT + 1}]")
    assert [one.seed for one in kept.episodes()] == [1, 2, 1]
    steps = len(kept.columns()["rewards"])
    assert travelled(world) < 50 * steps  # about a third of them is new, and a step has 92 bytes
    assert len(expected["rewards"]) > steps


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_damaged_one_is_not_believed(world, growing, is_whole):
    if is_whole:
        place = growing.whole().path
    else:
        dataset = growing.open()
        dataset.where(f"episode_id < {COUNT // 3}").columns()
        place = dataset.reader.fetcher.mirror.path
        del dataset
    _, expected = growing.grow()
    content = bytearray(place.read_bytes())
    for at in range(0, len(content), 50_000):
        content[at] ^= 1
    place.chmod(0o600)
    place.write_bytes(content)
    same(growing.open().columns(), expected)
    mirror = growing.whole()
    assert hashlib.sha256(mirror.path.read_bytes()).hexdigest() == mirror.sha256


def test_wrong_notes_of_a_mirror_cost_nothing(world, growing):
    mirror = growing.open()
    mirror.columns()
    directory = mirror.reader.fetcher.mirror.directory
    del mirror
    origin = json.loads((directory / "origin").read_text())
    before = (directory / "map").stat().st_size
    _, expected = growing.grow()
    for said in (
        {**origin, "size": origin["size"] + 1},
        {**origin, "size": None},
        [],
        {**origin, "size": "9"},
    ):
        (directory / "origin").write_text(json.dumps(said))
        same(growing.open().columns(), expected)
        assert (directory / "map").stat().st_size == before


def brought(world, growing, relative):
    """Bring the whole file, which a file of this machine may be a version of, and return what travelled."""
    snapshot = world.client().snapshot(growing.name.rpartition("/")[0])
    dataset = growing.open()
    world.network.forget()
    path = whole_file(snapshot, f"summer-v0/data/{DATA}", dataset.reader.index, relative=relative)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == dataset.origin.data_sha256
    return travelled(world) / dataset.reader.fetcher.mirror.size


@pytest.mark.parametrize("is_longer", [False, True])
def test_the_file_that_it_was_published_from_helps(world, growing, tmp_path, is_longer):
    local = tmp_path / "local.hdf5"
    data, _ = growing.grow()
    shutil.copy(data, local)
    if is_longer:
        growing.grow(seed=3)
    assert brought(world, growing, local) < 0.45


def test_a_file_that_is_something_else_does_not(world, growing, tmp_path):
    local = tmp_path / "local.hdf5"
    assert brought(world, growing, local) >= 1
    data, _ = growing.grow()
    for content in (b"", b"no HDF5", data.read_bytes()[::-1]):
        local.write_bytes(content)
        assert brought(world, growing, local) > 0.2
        growing.grow(seed=len(content))


def test_two_that_fill_each_other_do_not_wait_forever(world, growing):
    """The older version is asked for while the longer one is filled from it, and the other way round."""
    from concurrent.futures import ThreadPoolExecutor

    first = growing.open()
    first.where("episode_id < 20").columns()
    _, expected = growing.grow()
    second = growing.open()
    second.where("episode_id >= 40").columns()
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(one.columns) for one in (first, second)]
        found = [one.result(timeout=60) for one in asked]
    same(found[1], expected)
    rows = len(found[0]["rewards"])
    np.testing.assert_array_equal(found[0]["rewards"], expected["rewards"][:rows])
    assert len(Mirrors.from_environment().list()) == 2
