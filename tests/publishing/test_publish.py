"""Publishing: what arrives, what is refused, and that it happens once and as a whole."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import gymnasium
import pytest

from pytupli_registry import Benchmark, Recorder, api, append_remote
from pytupli_registry.errors import (
    BenchmarkNotFound,
    HubError,
    InvalidReference,
    PublicationRefused,
    RepositoryNotFound,
)
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.publishing.publish import publish
from pytupli_registry.storage.index import read_index
from tests.publishing.conftest import User, episodes, write
from tests.server.support.live import LiveHub

FILES = ("data/main_data.hdf5", "data/metadata.json", "data/episodes.parquet")


def files_of(*datasets: str) -> set[str]:
    return {".gitattributes", "README.md", "namespace_metadata.json", "provenance.json"} | {
        f"{path}/{name}" for path in datasets for name in FILES
    }


def problems_of(what: str, to: str, user: User, **options: bool) -> tuple[str, ...]:
    with pytest.raises(PublicationRefused) as refused:
        publish(what, to, hub=user.hub, **options)
    return refused.value.problems


def test_a_dataset_arrives_whole_and_once(alice: User, home: Path) -> None:
    write("once/summer-v0")
    planned = publish("once/summer-v0", "acme", hub=alice.hub, dry_run=True)
    assert planned.dry_run
    assert planned.commit is None
    with pytest.raises(RepositoryNotFound):
        alice.snapshot("acme/once")

    made = publish("once/summer-v0", "acme", hub=alice.hub, private=True)
    assert made.files == planned.files
    assert made.size == sum(planned.files.values())
    assert alice.files("acme/once") == files_of("summer-v0")
    assert alice.stock.dataset_info("acme/once").sha == made.commit
    assert alice.stock.dataset_info("acme/once").private
    for name in FILES:
        local = home / "datasets" / "once" / "summer-v0" / name
        assert alice.read("acme/once", f"summer-v0/{name}") == local.read_bytes()
    assert json.loads(alice.read("acme/once", "namespace_metadata.json"))["datasets"] == ["once/summer-v0"]

    again = publish("once/summer-v0", "acme", hub=alice.hub)
    assert (again.commit, again.files) == (made.commit, {})
    assert set(again.unchanged) == files_of("summer-v0") - {".gitattributes"}
    assert alice.commits("acme/once") == 2  # the Hub's own, and ours


def test_provenance_says_who_when_what_and_with_what(alice: User) -> None:
    dataset = write("traced/summer-v0")
    kept = api.save(dataset.where("metadata.month == 'July'"), "traced/july-v0")
    publish("traced", "acme", hub=alice.hub)
    said = json.loads(alice.read("acme/traced", "provenance.json"))
    steps = {step["dataset"]: step for step in said["steps"]}
    assert steps.keys() == {"summer-v0", "july-v0"}
    assert {(step["action"], step["by"]) for step in steps.values()} == {("publish", "alice")}
    data = alice.read("acme/traced", "july-v0/data/main_data.hdf5")
    assert steps["july-v0"]["data"] == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "episodes": kept.episode_count,
        "steps": kept.step_count,
    }
    assert steps["july-v0"]["sources"] == [
        {"filtered_from": "traced/summer-v0", "episode_filter": "metadata.month == 'July'"}
    ]
    assert steps["summer-v0"]["versions"]["gymnasium"] == gymnasium.__version__


def test_a_benchmark_arrives_with_what_belongs_to_it_and_nothing_else(
    alice: User, user: Callable[[str], User], small_env: gymnasium.Env, home: Path
) -> None:
    bench = Benchmark.from_env(small_env, name="whole", description="Balance.", licence="MIT")
    directory = bench.save()
    for name in ("LICENSE", ".secret", "notes.txt", "README.md~", "artifacts/stray.bin"):
        (directory / name).write_text("x")
    (directory / "README.md").write_text("# Balance\n\nWritten by hand.\n")
    made = publish(bench.load("whole"), "acme", hub=alice.hub)
    artifacts = {entry.path for entry in bench.specification.artifacts.values()}
    assert alice.files("acme/whole") == files_of() | artifacts | {"benchmark.json", "LICENSE"}
    assert "nothing in benchmark.json names this file" in " ".join(made.warnings)
    assert "Written by hand." in alice.read("acme/whole", "README.md").decode()
    for path in artifacts | {"benchmark.json"}:
        assert alice.read("acme/whole", path) == (directory / path).read_bytes()
    assert user("rita").files("acme/whole") == alice.files("acme/whole")


def test_all_problems_are_told_and_nothing_is_sent(alice: User, small_env: gymnasium.Env, home: Path) -> None:
    bench = Benchmark.from_env(small_env, name="broken", description="", licence="MIT")
    directory = bench.save()
    for artifact in (directory / "artifacts").glob("*/*"):
        artifact.write_bytes(b"changed")
    for name in ("first-v0", "second-v0", "third-v01"):
        write(f"broken/{name}")
    (directory / "first-v0" / "data" / "main_data.hdf5").write_bytes(b"no HDF5")
    (directory / "second-v0" / "data" / "metadata.json").write_text("{")
    (directory / "README.md").write_text("---\ntags: [\n---\n")
    told = "\n".join(problems_of("broken", "acme", alice))
    for expected in ("artifacts/", "first-v0", "second-v0", "third-v01", "README.md"):
        assert expected in told
    with pytest.raises(RepositoryNotFound):
        alice.snapshot("acme/broken")


def test_published_data_is_never_overwritten(alice: User, home: Path) -> None:
    write("kept/summer-v0", seed=1)
    made = publish("kept/summer-v0", "acme", hub=alice.hub)
    api.delete("kept/summer-v0")
    write("kept/summer-v0", seed=2)
    (problem,) = problems_of("kept/summer-v0", "acme", alice)
    assert "never overwritten" in problem
    assert "pytupli append acme/kept/summer-v0 kept/summer-v0" in problem
    assert alice.snapshot("acme/kept").commit == made.commit


def test_what_others_appended_stays(alice: User) -> None:
    write("ahead/summer-v0", count=3)
    publish("ahead/summer-v0", "acme", hub=alice.hub)
    api.append("ahead/summer-v0", episodes(2, seed=7))
    assert "other data under this name" in problems_of("ahead/summer-v0", "acme", alice)[0]
    longer = append_remote("acme/ahead/summer-v0", "ahead/summer-v0", hub=alice.hub)
    api.delete("ahead/summer-v0")
    write("ahead/summer-v0", count=3)
    again = publish("ahead/summer-v0", "acme", hub=alice.hub)
    assert again.commit == longer.commit
    assert "2 more episodes" in again.warnings[0]


def test_people_publish_into_one_benchmark(
    alice: User, small_env: gymnasium.Env, live: LiveHub, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    Benchmark.from_env(small_env, name="shared", description="Balance.", licence="MIT").save()
    publish("shared", "acme", hub=alice.hub)
    for number, name in enumerate(("one-v0", "two-v0")):
        monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(home / f"machine-{number}"))
        record(small_env, f"shared/{name}")
        publish(f"shared/{name}", "acme", hub=alice.hub)
    said = json.loads(alice.read("acme/shared", "benchmark.json"))
    assert said["datasets"].keys() == {"one-v0", "two-v0"}
    for name, entry in said["datasets"].items():
        data = alice.read("acme/shared", f"{name}/data/main_data.hdf5")
        assert (entry["sha256"], entry["size"]) == (hashlib.sha256(data).hexdigest(), len(data))
        index = read_index(alice.snapshot("acme/shared").local(f"{name}/data/episodes.parquet"))  # type: ignore[arg-type]
        assert (index.data_sha256, len(index.table)) == (entry["sha256"], entry["episodes"])
    card = alice.read("acme/shared", "README.md").decode()
    assert 'pytupli_d3rlpy.load("acme/shared/one-v0")' in card
    assert 'pytupli_d3rlpy.load("acme/shared/two-v0")' in card
    # The benchmark of the first machine lists no dataset, and publishing it again takes none away.
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(home / "datasets"))
    assert publish("shared", "acme", hub=alice.hub).files == {}
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(home / "machine-3"))
    write("shared/misfit-v0")
    assert "is not that of the published benchmark" in problems_of("shared/misfit-v0", "acme", alice)[0]


def record(env: gymnasium.Env, dataset_id: str) -> None:
    """Record two episodes; a pole that is always pushed to the same side falls soon."""
    with Recorder(env, dataset_id) as recorder:
        for seed in range(2):
            recorder.reset(seed=seed)
            while not any(recorder.step(0)[2:4]):
                pass


def test_another_benchmark_of_the_same_name_and_version_is_refused(
    alice: User, small_env: gymnasium.Env
) -> None:
    Benchmark.from_env(small_env, name="changing", description="x", rollouts=0).save()
    publish("changing", "acme", hub=alice.hub)
    longer = gymnasium.make("CartPole-v1", max_episode_steps=100)
    Benchmark.from_env(longer, name="changing", description="x", rollouts=0).save(replace=True)
    assert "another benchmark" in problems_of("changing", "acme", alice)[0]
    Benchmark.from_env(longer, name="changing", description="x", rollouts=0, version="2").save(replace=True)
    assert "benchmark.json" in publish("changing", "acme", hub=alice.hub).files
    longer.close()


def test_who_has_no_right_is_told_so(user: Callable[[str], User], alice: User, live: LiveHub) -> None:
    write("mine/summer-v0")
    with pytest.raises(HubError, match="right to write"):
        publish("mine/summer-v0", "acme", hub=user("rita").hub)
    with pytest.raises(HubError, match="none for you"):
        publish("mine/summer-v0", "acme", hub=user("bob").hub)
    with pytest.raises(HubError) as refused:
        publish("mine/summer-v0", "acme", hub=Hub(live.endpoint, False))
    assert "Log in" in (refused.value.hint or "")
    with pytest.raises(RepositoryNotFound):
        alice.snapshot("acme/mine")


def test_nobody_publishes_to_everybody_by_mistake(alice: User) -> None:
    write("visible/summer-v0")
    publish("visible/summer-v0", "acme", hub=alice.hub, private=False)
    assert "is public" in problems_of("visible/summer-v0", "acme", alice, private=True)[0]


def test_what_cannot_be_published_at_all(alice: User, small_env: gymnasium.Env) -> None:
    dataset = write("whole/summer-v0")
    with pytest.raises(PublicationRefused, match="filters hide"):
        publish(dataset.where("length > 3"), "acme", hub=alice.hub)
    with pytest.raises(PublicationRefused, match="not saved"):
        publish(Benchmark.from_env(small_env, name="new", rollouts=0), "acme", hub=alice.hub)
    with pytest.raises(BenchmarkNotFound):
        publish("nothing", "acme", hub=alice.hub)
    with pytest.raises(InvalidReference):
        publish("whole/summer-v0", "acme/", hub=alice.hub)
    with pytest.raises(InvalidReference):
        publish("hf://acme/whole/summer-v0", "acme", hub=alice.hub)
    write("lonely-v0")
    with pytest.raises(PublicationRefused, match="no namespace"):
        publish("lonely-v0", "acme", hub=alice.hub)


def test_a_dataset_goes_to_another_repository_by_name(alice: User) -> None:
    write("lonely-v0", seed=4)
    publish("lonely-v0", "acme/company", hub=alice.hub)
    said = json.loads(alice.read("acme/company", "lonely-v0/data/metadata.json"))
    assert said["dataset_id"] == "company/lonely-v0"
    write("deep/down/summer-v0", seed=5)
    publish("deep/down/summer-v0", "acme", hub=alice.hub)
    assert json.loads(alice.read("acme/deep", "namespace_metadata.json")) == {
        "datasets": ["deep/down/summer-v0"],
        "namespaces": ["deep/down"],
    }
    assert json.loads(alice.read("acme/deep", "down/namespace_metadata.json")) == {}


def test_links_into_the_cache_are_followed_and_others_are_not(alice: User, home: Path) -> None:
    write("linked/summer-v0")
    data = home / "datasets" / "linked" / "summer-v0" / "data" / "main_data.hdf5"
    content = data.read_bytes()
    blob = home / "hf" / "blobs" / "abc"
    for place in (blob, home / "elsewhere"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    data.unlink()
    data.symlink_to(home / "elsewhere")
    assert "outside" in problems_of("linked/summer-v0", "acme", alice)[0]
    data.unlink()
    data.symlink_to(blob)
    publish("linked/summer-v0", "acme", hub=alice.hub)
    assert alice.read("acme/linked", "summer-v0/data/main_data.hdf5") == content
    assert not list((home / "cache" / "publishing").glob("work-*"))


def test_a_text_changed_on_both_sides_needs_a_word(alice: User, small_env: gymnasium.Env) -> None:
    directory = Benchmark.from_env(small_env, name="told", description="x", rollouts=0).save()
    card = directory / "README.md"
    card.write_text("# First\n")
    publish("told", "acme", hub=alice.hub)
    there = alice.read("acme/told", "README.md").decode()
    changed = there.replace("# First", "# Theirs")
    alice.stock.upload_file(
        path_or_fileobj=changed.encode(), path_in_repo="README.md", repo_id="acme/told", repo_type="dataset"
    )
    assert publish("told", "acme", hub=alice.hub).files.keys() == {"provenance.json"}
    assert "# Theirs" in alice.read("acme/told", "README.md").decode()
    card.write_text("# Mine\n")
    alice.stock.upload_file(
        path_or_fileobj=changed.replace("Theirs", "Others").encode(),
        path_in_repo="README.md",
        repo_id="acme/told",
        repo_type="dataset",
    )
    assert "--card" in problems_of("told", "acme", alice)[0]
    publish("told", "acme", hub=alice.hub, card="local")
    assert "# Mine" in alice.read("acme/told", "README.md").decode()
