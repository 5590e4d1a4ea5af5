"""What saving and deleting touch: the benchmark's own files, in directories that may come from a stranger."""

import gymnasium
import pytest

from pytupli_registry import Benchmark, Recorder
from pytupli_registry.errors import WriteError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def saved(home):
    bench = Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole", rollouts=1)
    with Recorder(gymnasium.make("CartPole-v1"), "pole/one-v0") as env:
        for seed in (1, 2):
            env.reset(seed=seed)
            while not any(env.step(env.action_space.sample())[2:4]):
                pass
    return Benchmark.load(bench.save())


def test_links_that_lie_ready_are_not_written_through(saved, home):
    precious = home / "precious"
    precious.write_text("mine")
    for name in (".benchmark.json.partial", ".namespace_metadata.json.partial"):
        (saved.directory / name).symlink_to(precious)
    (saved.directory / "namespace_metadata.json").unlink()
    saved.with_facts(title="Mine").save(saved.directory)
    assert precious.read_text() == "mine"
    assert Benchmark.load("pole").specification.title == "Mine"


@pytest.mark.parametrize("change", [lambda bench: bench.save(bench.directory), lambda bench: bench.delete()])
def test_nothing_is_made_behind_a_link(saved, home, change):
    lock = saved.directory / ".benchmark.lock"
    lock.unlink(missing_ok=True)
    lock.symlink_to(home / "elsewhere")
    with pytest.raises(WriteError, match="symbolic links"):
        change(saved)
    assert not (home / "elsewhere").exists()
    assert Benchmark.load("pole") == saved


def test_what_is_not_the_benchmarks_stays(saved):
    """A benchmark saved into the directory of a project: its `artifacts`, and what has a `data` in it, are not ours."""
    home = saved.directory
    others = [home / "artifacts" / "model.bin", home / "src" / "data" / "thesis.txt", home / "notes.txt"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    before = {path for path in (home / "artifacts").rglob("*") if path not in others}
    saved.save(home)
    assert all(path.exists() for path in (*before, *others))
    saved.delete(datasets=True)
    assert all(path.read_text() == "mine" for path in others)
    assert not any(path.exists() for path in before)
    assert {path.name for path in home.iterdir()} == {
        "artifacts",
        "src",
        "notes.txt",
        "namespace_metadata.json",
    }


def test_deleting_follows_no_links(saved, home):
    (home / "elsewhere" / "data").mkdir(parents=True)
    (home / "elsewhere" / "data" / "main_data.hdf5").write_text("mine")
    (saved.directory / "two-v0").symlink_to(home / "elsewhere")
    (saved.directory / "one-v0" / "data" / "link").symlink_to(home / "elsewhere")
    saved.delete(datasets=True)
    assert not (saved.directory / "one-v0").exists()
    assert (home / "elsewhere" / "data" / "main_data.hdf5").read_text() == "mine"
