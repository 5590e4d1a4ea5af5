"""Validation against files made by hand with h5py, each with one thing wrong."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from PIL import Image

from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.storage.extents import Extent
from pytupli_registry.storage.index import read_index, write_index
from pytupli_registry.storage.local import open_directory
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.validation import Problem, Report, validate

if TYPE_CHECKING:
    from pathlib import Path

BOX = {"type": "Box", "dtype": "float32", "shape": [2], "low": [-1.0, -1.0], "high": [1.0, 1.0]}
DISCRETE = {"type": "Discrete", "dtype": "int64", "start": 0, "n": 3}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    return tmp_path / "cache"


def values(length: int, seed: int, **changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    last = np.arange(length) == length - 1
    made = {
        "observations": rng.uniform(-1, 1, (length + 1, 2)).astype(np.float32),
        "actions": rng.integers(0, 3, length),
        "rewards": rng.normal(size=length),
        "terminations": last,
        "truncations": np.zeros(length, dtype=np.bool_),
        "infos/energy": rng.normal(size=length + 1),
    }
    return {path: value for path, value in {**made, **changes}.items() if value is not None}


def make(
    home: Path,
    episodes: list[dict[str, Any]],
    *,
    metadata: dict[str, Any] | None = None,
    attributes: dict[str, Any] | None = None,
    names: list[str] | None = None,
) -> Path:
    """Write a dataset the way Minari would, with what the test wants to be wrong."""
    directory = home / "data"
    directory.mkdir(parents=True)
    steps = [len(episode.get("rewards", ())) for episode in episodes]
    with h5py.File(directory / "main_data.hdf5", "w") as file:
        for number, (episode, length) in enumerate(zip(episodes, steps, strict=True)):
            group = file.create_group(names[number] if names else f"episode_{number}")
            group.attrs.update({"id": number, "total_steps": length, "seed": number, **(attributes or {})})
            for path, value in episode.items():
                group[path] = value
    said = {
        "dataset_id": "made/by-hand-v0",
        "total_episodes": len(episodes),
        "total_steps": sum(steps),
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "observation_space": json.dumps(BOX),
        "action_space": json.dumps(DISCRETE),
        "minari_version": "0.5.0",
        **(metadata or {}),
    }
    (directory / "metadata.json").write_text(json.dumps(said))
    return directory


def check(directory: Path) -> Report:
    """Validate an indexed dataset, so that a missing index is no finding."""
    with contextlib.suppress(FormatError):
        open_directory(directory)
    return validate(directory, adapters=False)


def only(report: Report) -> Problem:
    (problem,) = report.problems
    return problem


def test_a_sound_dataset_has_no_problems(tmp_path: Path) -> None:
    ticks: list[int] = []
    directory = make(tmp_path, [values(3, 0), values(5, 1), values(1, 2)])
    open_directory(directory)
    report = validate(directory, adapters=False, advance=ticks.append)
    assert report.problems == ()
    assert report.ok
    assert (report.episodes_checked, report.transitions_checked, ticks) == (3, 9, [1, 1, 1])


LAST = np.array([False, False, True])
NAN = np.array([[0, 0], [np.nan, 0], [0, 0], [np.inf, 0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("changes", "level", "where", "message"),
    [
        ({"rewards": np.array([1.0, np.nan, 2.0])}, "error", "episode_1/rewards[1]", "NaN"),
        (
            {"observations": np.full((4, 2), 1.5, np.float32)},
            "warning",
            "episode_1/observations[0]",
            "outside",
        ),
        ({"actions": np.array([0, 1, 3])}, "error", "episode_1/actions[2]", "outside"),
        ({"actions": np.array([-1, 1, 2])}, "error", "episode_1/actions[0]", "outside"),
        ({"truncations": LAST}, "warning", "episode_1/truncations[2]", "both terminated and truncated"),
        ({"terminations": np.zeros(3, bool)}, "warning", "episode_1/terminations[2]", "neither"),
        (
            {"terminations": np.array([True, False, True])},
            "error",
            "episode_1/terminations[0]",
            "before the last",
        ),
        (
            {"truncations": np.array([True, True, False])},
            "error",
            "episode_1/truncations[0]",
            "before the last",
        ),
    ],
)
def test_suspicious_values_are_told_with_their_place(
    tmp_path: Path, changes: dict[str, Any], level: str, where: str, message: str
) -> None:
    problem = only(check(make(tmp_path, [values(4, 0), values(3, 1, **changes)])))
    assert (problem.level, problem.where) == (level, where)
    assert message in problem.message


def test_all_problems_are_told_at_once_and_counted(tmp_path: Path) -> None:
    broken = values(3, 1, observations=NAN, truncations=LAST)
    report = check(make(tmp_path, [values(4, 0), broken, values(3, 2, rewards=np.array([np.inf] * 3))]))
    found = {(problem.where, problem.message): problem.count for problem in report.problems}
    assert found[("episode_1/observations[1]", "values are NaN")] == 1
    assert found[("episode_1/observations[3]", "values are infinite")] == 1
    assert found[("episode_2/rewards[0]", "values are infinite")] == 3
    assert [problem.level for problem in report.problems] == sorted(p.level for p in report.problems)
    assert not report.ok


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"observations": np.zeros((3, 2), np.float32)}, "episode_1/observations", "T+1 rows"),
        ({"actions": np.zeros(4, np.int64)}, "episode_1/actions", "T rows"),
        ({"terminations": np.array([False, True])}, "episode_1/terminations", "T rows"),
        ({"actions": None}, "episode_1/actions", "missing"),
        ({"truncations": None}, "episode_1/truncations", "missing"),
    ],
)
def test_episodes_that_break_the_rule_are_told_even_where_the_dataset_does_not_open(
    tmp_path: Path, changes: dict[str, Any], where: str, message: str
) -> None:
    report = check(make(tmp_path, [values(4, 0), values(3, 1, **changes)]))
    assert not report.ok
    assert any(problem.where == where and message in problem.message for problem in report.problems), (
        report.problems
    )


def test_duplicates_and_constant_actions(tmp_path: Path) -> None:
    same = values(3, 5, actions=np.ones(3, np.int64))
    again = {**same, "infos/energy": np.zeros(4)}
    report = check(make(tmp_path, [same, values(2, 1, actions=np.ones(2, np.int64)), again]))
    assert {(p.level, p.where, p.message) for p in report.problems} == {
        ("warning", "episode_2", "the episode is the same as episode_0"),
        ("warning", "actions", "the action is the same at every step"),
    }


def test_a_component_of_the_action_that_never_changes(tmp_path: Path) -> None:
    actions = [np.array([[0.5, 0.1], [0.5, 0.2]], np.float32), np.array([[0.5, 0.3]], np.float32)]
    episodes = [values(2, 0, actions=actions[0]), values(1, 1, actions=actions[1])]
    problem = only(check(make(tmp_path, episodes, metadata={"action_space": json.dumps(BOX)})))
    assert (problem.where, problem.level) == ("actions[0]", "warning")


@pytest.mark.parametrize(("key", "said"), [("total_episodes", 7), ("total_steps", 1)])
def test_wrong_totals(tmp_path: Path, key: str, said: int) -> None:
    problem = only(check(make(tmp_path, [values(4, 0), values(3, 1)], metadata={key: said})))
    assert (problem.level, problem.where) == ("error", f"metadata.json/{key}")
    assert str(said) in problem.message


def test_wrong_attributes(tmp_path: Path) -> None:
    report = check(make(tmp_path, [values(4, 0), values(3, 1)], attributes={"total_steps": 4}))
    assert ("error", "episode_1.total_steps") in {
        (problem.level, problem.where) for problem in report.problems
    }


def test_a_dataset_without_index_or_with_the_index_of_another(tmp_path: Path) -> None:
    first = make(tmp_path / "a", [values(4, 0), values(3, 1)])
    second = make(tmp_path / "b", [values(4, 2), values(3, 3)])
    assert "no index" in only(validate(first, adapters=False)).message
    open_directory(second)
    (second / "episodes.parquet").replace(first / "episodes.parquet")
    problem = only(validate(first, adapters=False))
    assert (problem.level, problem.where) == ("warning", "episodes.parquet")
    assert "stale" in problem.message
    (first / "episodes.parquet").write_bytes(b"PAR1 nothing")
    assert "not used" in only(validate(first, adapters=False)).message


def _misplace(directory: Path, cache: Path) -> None:
    """Make the index point to the wrong bytes, and vouch for it, as only a defect of ours could.

    Observations are one row off; actions and rewards, whose rows are of the same size, change places.
    """
    index = read_index(directory / "episodes.parquet")
    leaves = dict(index.leaves)
    seen, done, earned = (leaves[path] for path in ("observations", "actions", "rewards"))
    assert seen.extents is not None
    moved = tuple(Extent(e.first_row, e.rows, e.offset - seen.leaf.row_bytes) for e in seen.extents)
    leaves["observations"] = replace(seen, extents=moved)
    leaves["actions"], leaves["rewards"] = (
        replace(done, extents=earned.extents),
        replace(earned, extents=done.extents),
    )
    write_index(replace(index, leaves=leaves), directory / "episodes.parquet")
    Stamps(cache).record(directory / "main_data.hdf5", directory / "episodes.parquet", index.data_sha256)


def test_a_reader_that_looks_at_the_wrong_bytes_is_found_out(tmp_path: Path, cache: Path) -> None:
    directory = make(tmp_path, [values(4, 0)])
    open_directory(directory)
    _misplace(directory, cache)
    found = {(problem.where, problem.message) for problem in validate(directory, adapters=False).problems}
    for path in ("observations", "actions", "rewards"):
        assert (f"episode_0/{path}", "the dataset gives other values than h5py") in found
    for part, path in (
        ("observation", "observations"),
        ("next_observation", "observations"),
        ("action", "actions"),
    ):
        assert (f"episode_0/{path}", f"the {part} of a transition is not what h5py says") in found
    assert ("episode_0/rewards", "a transition has other values than h5py says") in found


def test_an_index_that_says_other_things_than_the_data_is_found_out(tmp_path: Path) -> None:
    directory = make(tmp_path, [values(4, 0), values(3, 1)])
    open_directory(directory)
    index = read_index(directory / "episodes.parquet")
    checksums = {name: sums + 1 for name, sums in index.checksums.items()}
    write_index(replace(index, checksums=checksums), directory / "episodes.parquet")
    problem = only(validate(directory, adapters=False))
    assert (problem.level, problem.where) == ("error", "episodes.parquet")


@pytest.mark.slow
def test_adapters_are_compared_with_h5py(tmp_path: Path, cache: Path) -> None:
    directory = make(tmp_path, [values(4, 0), values(3, 1, terminations=np.zeros(3, bool), truncations=LAST)])
    open_directory(directory)
    report = validate(directory)
    assert report.problems == ()
    assert (report.adapters_checked, report.skipped) == (("d3rlpy", "minari"), ())
    alone = make(tmp_path / "alone", [values(4, 0)])
    open_directory(alone)
    _misplace(alone, cache)
    messages = {problem.message for problem in validate(alone).problems}
    assert "the d3rlpy adapter delivers other values than h5py" in messages
    assert "the d3rlpy adapter picks another transition than h5py says" in messages
    assert "the minari adapter delivers other values than h5py" in messages


def test_texts_and_nested_spaces(tmp_path: Path) -> None:
    text = {"type": "Text", "max_length": 3, "min_length": 1, "charset": "ab"}
    space = {
        "type": "Dict",
        "subspaces": {"x": BOX, "t": text, "p": {"type": "Tuple", "subspaces": [DISCRETE]}},
    }
    nested = [
        {
            **values(2, seed, observations=None),
            "observations/x": np.zeros((3, 2), np.float32),
            "observations/t": words,
            "observations/p/_index_0": np.arange(3),
        }
        for seed, words in enumerate((["a", "b", "ab"], ["a", "abab", "c"]))
    ]
    problem = only(check(make(tmp_path, nested, metadata={"observation_space": json.dumps(space)})))
    assert (problem.level, problem.where, problem.count) == ("warning", "episode_1/observations/t[1]", 2)


def _jpeg(frame: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="JPEG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


def test_lossy_images_are_decoded_compared_and_told(tmp_path: Path) -> None:
    shape = (32, 40, 3)
    space = {"type": "Box", "dtype": "uint8", "shape": shape}
    space |= {"low": np.zeros(shape).tolist(), "high": np.full(shape, 255).tolist()}
    rng = np.random.default_rng(0)
    episodes = []
    for seed, length in enumerate((2, 1)):
        frames = np.empty(length + 1, dtype=h5py.vlen_dtype(np.uint8))
        for row in range(length + 1):
            frames[row] = _jpeg(rng.integers(0, 255, shape).astype(np.uint8))
        episodes.append(values(length, seed, observations=frames))
    metadata = {"observation_space": json.dumps(space), "jpeg_encoding": True}
    report = check(make(tmp_path, episodes, metadata=metadata))
    problem = only(report)
    assert (problem.level, problem.where) == ("warning", "observations")
    assert "lossy" in problem.message
    assert report.transitions_checked == 3


def test_values_of_another_dtype_or_shape_than_the_space(tmp_path: Path) -> None:
    wide = [values(n, n, observations=np.random.default_rng(n).uniform(-1, 1, (n + 1, 2))) for n in (3, 2)]
    problem = only(check(make(tmp_path / "a", wide)))
    assert (problem.level, problem.message) == ("warning", "values are float64, but the space says float32")
    report = check(make(tmp_path / "b", [values(3, 0, observations=np.zeros((4, 3), np.float32))]))
    assert any("have the shape (3,)" in problem.message for problem in report.problems)
    assert not report.ok


def test_a_root_that_holds_other_things_than_episodes(tmp_path: Path) -> None:
    report = check(make(tmp_path, [values(3, 0), values(2, 1)], names=["episode_0", "episode_2"]))
    assert not report.ok
    assert any(problem.where == "/" for problem in report.problems)


def test_a_file_that_asks_for_too_much_is_refused(tmp_path: Path) -> None:
    directory = make(tmp_path, [values(3, 0), values(2, 1)])
    with h5py.File(directory / "main_data.hdf5", "a") as file:
        file["episode_1/infos/away"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(UnsafeFile):
        validate(directory, adapters=False)


def test_a_directory_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        validate(tmp_path)
    directory = make(tmp_path / "a", [values(3, 0)])
    (directory / "main_data.hdf5").write_bytes(b"nothing")
    with pytest.raises(FormatError):
        validate(directory, adapters=False)
