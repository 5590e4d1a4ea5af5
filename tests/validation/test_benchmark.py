"""Validation of benchmarks: a sound one, and copies of it with one thing wrong each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry import Benchmark, Recorder, load
from pytupli_registry.benchmarks.rollouts import write_rollouts
from pytupli_registry.benchmarks.specification import ReferenceScore
from pytupli_registry.validation.benchmark import BenchmarkReport, validate_benchmark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULE = """
import gymnasium, numpy as np
from pathlib import Path

class Wind(gymnasium.Env):
    observation_space = gymnasium.spaces.Dict(
        wind=gymnasium.spaces.Box(0, 1, (2,), np.float64), month=gymnasium.spaces.Discrete(12, start=1)
    )
    action_space = gymnasium.spaces.MultiDiscrete([2, 3])

    def __init__(self, series, length=4):
        self._series, self._length = np.loadtxt(series), length

    def _seen(self):
        return {"wind": self._series[:2] * self.np_random.random(2), "month": np.int64(1 + self._now % 12)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._now = 0
        return self._seen(), {}

    def step(self, action):
        self._now += 1
        return self._seen(), float(action[1]), False, self._now >= self._length, {}

gymnasium.register("acme/CheckedWind-v0", "acme_checked:Wind")
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A benchmark with everything: a file, shipped code, rollouts, scores, a card and a dataset."""
    home = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTUPLI_DATASETS_PATH", str(home / "datasets"))
        patch.setenv("PYTUPLI_CACHE_PATH", str(home / "cache"))
        patch.setenv("PYTUPLI_CONFIG_PATH", str(home / "config"))
        (home / "acme_checked.py").write_text(MODULE)
        (home / "series.csv").write_text("0.5\n0.25\n0.75\n")
        patch.syspath_prepend(str(home))
        env = gymnasium.make(
            "acme_checked:acme/CheckedWind-v0", series=home / "series.csv", disable_env_checker=True
        )
        with Recorder(env, "wind/mixed-v0", autoseed=True) as recorder:
            for seed in range(3):
                recorder.reset(seed=seed)
                recorder.action_space.seed(seed)
                while not any(recorder.step(recorder.action_space.sample())[2:4]):
                    pass
        bench = Benchmark.from_env(
            env, name="wind", code=[home / "acme_checked.py"], description="Wind.", licence="MIT"
        ).with_reference_scores(random=ReferenceScore(mean=1), expert=ReferenceScore(mean=2))
        bench.save()
        (home / "datasets" / "wind" / "README.md").write_text("# Wind\n")
        yield home / "datasets" / "wind"
    sys.modules.pop("acme_checked", None)
    gymnasium.registry.pop("acme/CheckedWind-v0", None)


@pytest.fixture
def copied(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path / "config"))
    return Path(shutil.copytree(sound, tmp_path / "datasets" / "wind"))


def found(report: BenchmarkReport) -> list[tuple[str, str, str]]:
    return [(problem.level, problem.where, problem.message) for problem in report.problems]


def change(directory: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = directory / "benchmark.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def artifact(directory: Path, name: str) -> Path:
    entry = json.loads((directory / "benchmark.json").read_text())["artifacts"][name]
    return directory / "artifacts" / entry["sha256"][:16] / entry["file_name"]


def put(directory: Path, name: str, content: bytes) -> str:
    """Give an artifact other bytes, with a ``benchmark.json`` that names their hash; return the new path."""
    file_name = artifact(directory, name).name
    shutil.rmtree(artifact(directory, name).parent)
    sha256 = hashlib.sha256(content).hexdigest()
    change(directory, lambda said: said["artifacts"][name].update(sha256=sha256, size=len(content)))
    place = f"artifacts/{sha256[:16]}/{file_name}"
    (directory / place).parent.mkdir()
    (directory / place).write_bytes(content)
    return place


def test_a_sound_benchmark(copied: Path) -> None:
    report = validate_benchmark(copied)
    assert found(report) == []
    assert (report.ok, report.name, report.identity) == (True, "wind", Benchmark.load(copied).identity)
    assert (report.artifacts_checked, report.datasets_checked, report.datasets) == (3, 1, {})
    whole = validate_benchmark(copied, datasets=True, adapters=False)
    assert whole.ok
    assert whole.datasets["mixed-v0"].episodes_checked == 3
    assert whole.datasets["mixed-v0"].transitions_checked == 12
    assert whole.datasets["mixed-v0"].adapters_checked == ()


@pytest.mark.slow
def test_what_others_read_of_the_datasets_is_compared(copied: Path) -> None:
    report = validate_benchmark(copied, datasets=True).datasets["mixed-v0"]
    assert report.ok
    assert "minari" in report.adapters_checked


def test_nothing_is_imported(copied: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from pytupli_registry.validation.benchmark import validate_benchmark\n"
        f"assert validate_benchmark(Path({str(copied)!r})).ok\n"
        "print(sorted({'gymnasium', 'acme_checked', 'torch', 'pandas', 'd3rlpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ('{"format": "pytupli-benchmark", "format_version": 99}', "it is of format version 99"),
        ('{"format": "pytupli-benchmark", "format_version": 1}', "name: Field required"),
        ("[" * 100_000, "it is n"),
    ],
)
def test_a_file_that_is_no_benchmark(copied: Path, text: str, said: str) -> None:
    (copied / "benchmark.json").write_text(text)
    report = validate_benchmark(copied)
    ((level, where, message),) = found(report)
    assert (level, where, report.name) == ("error", "benchmark.json", None)
    assert said in message


def test_artifacts_have_to_be_there_and_be_what_is_said(copied: Path) -> None:
    shutil.rmtree(artifact(copied, "series").parent)
    code = artifact(copied, "code")
    code.write_bytes(bytes([code.read_bytes()[0] ^ 1]) + code.read_bytes()[1:])
    rollouts = artifact(copied, "rollouts")
    rollouts.write_bytes(rollouts.read_bytes() + b"x")
    told = {where: message for level, where, message in found(validate_benchmark(copied)) if level == "error"}
    assert told[artifact(copied, "series").relative_to(copied).as_posix()] == "the artifact is missing"
    assert "the artifact's SHA-256 is" in told[code.relative_to(copied).as_posix()]
    assert "bytes instead of" in told[rollouts.relative_to(copied).as_posix()]
    assert len(told) == 3
    assert validate_benchmark(copied).artifacts_checked == 0


def test_what_nothing_names_is_noted(copied: Path) -> None:
    (copied / "artifacts" / "junk").mkdir()
    for number in range(3):
        (copied / "artifacts" / "junk" / f"{number}.bin").write_bytes(b"x")
    change(copied, lambda said: said["environment"]["kwargs"].pop("series"))
    report = validate_benchmark(copied)
    (unused, stray) = report.problems
    assert (unused.level, unused.where, unused.message) == ("warning", "artifacts.series", "nothing uses it")
    assert (stray.level, stray.where, stray.count) == ("warning", "artifacts/junk/0.bin", 3)
    assert report.ok


def test_links_are_not_followed(copied: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    series = artifact(copied, "series")
    series.rename(secret / "series.csv")
    series.symlink_to(secret / "series.csv")
    shutil.move(copied / "mixed-v0" / "data" / "main_data.hdf5", secret / "main_data.hdf5")
    (copied / "mixed-v0" / "data" / "main_data.hdf5").symlink_to(secret / "main_data.hdf5")
    (copied / "loop").symlink_to(copied)
    report = validate_benchmark(copied, datasets=True)
    links = [problem.where for problem in report.problems if problem.message.startswith("it is a link")]
    errors = {where: message for level, where, message in found(report) if level == "error"}
    assert links
    assert "a link or a file is where" in errors[series.relative_to(copied).as_posix()]
    assert errors["mixed-v0"] == "benchmark.json lists the dataset, and it is not here"
    assert report.datasets == {}
    assert not report.ok


def test_a_link_in_place_of_the_file_itself(copied: Path, tmp_path: Path) -> None:
    shutil.move(copied / "benchmark.json", tmp_path / "elsewhere.json")
    (copied / "benchmark.json").symlink_to(tmp_path / "elsewhere.json")
    report = validate_benchmark(copied)
    assert (report.ok, report.name) == (False, None)


def test_what_is_neither_file_nor_directory(copied: Path) -> None:
    os.mkfifo(copied / "artifacts" / "pipe")
    report = validate_benchmark(copied)
    assert ("error", "artifacts/pipe", "it is neither a file nor a directory") in found(report)


def test_shipped_code_has_one_form_only(copied: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("acme_checked.py", MODULE)
    place = put(copied, "code", (tmp_path / "other.zip").read_bytes())
    ((level, where, message),) = found(validate_benchmark(copied))
    assert (level, where) == ("error", place)
    assert "as this library writes it" in message


def test_rollouts_have_to_be_readable_and_counted(copied: Path) -> None:
    place = put(copied, "rollouts", b"no archive")
    ((level, where, _),) = found(validate_benchmark(copied))
    assert (level, where) == ("error", place)


def test_rollouts_have_to_fit_the_spaces(copied: Path, tmp_path: Path) -> None:
    episode = replace(load("wind/mixed-v0")[0], seed=1)
    wrong = replace(
        episode,
        observations={
            "wind": episode.observations["wind"] + 7,
            "month": np.array([0, 13, *episode.observations["month"][2:]]),
        },
        actions=np.array([[0, 3], *episode.actions[1:].tolist()]),
    )
    with (tmp_path / "rollouts.zip").open("wb") as file:
        write_rollouts([wrong], file)
    place = put(copied, "rollouts", (tmp_path / "rollouts.zip").read_bytes())
    report = validate_benchmark(copied)
    assert [(one.level, one.where, one.message, one.count) for one in report.problems] == [
        ("error", place, "it holds 1 rollouts, and not 3", 1),
        ("error", f"{place}/observations/month", "values lie outside the space", 2),
        ("error", f"{place}/actions", "values lie outside the space", 1),
        ("warning", f"{place}/observations/wind", "values lie outside the space", 10),
    ]


def test_requirements_are_names_and_versions(copied: Path) -> None:
    change(copied, lambda said: said["requirements"].append({"requirement": "numpy >=", "recorded": None}))
    ((level, where, message),) = found(validate_benchmark(copied))
    assert (level, where) == ("error", "requirements")
    assert "numpy >=" in message


def test_listed_datasets_have_to_be_what_is_said(copied: Path) -> None:
    change(copied, lambda said: said["datasets"]["mixed-v0"].update(sha256="0" * 64, steps=13))
    shutil.copytree(copied / "mixed-v0", copied / "extra-v0")
    change(
        copied,
        lambda said: said["datasets"].update({"gone-v0": {**said["datasets"]["mixed-v0"], "steps": 1}}),
    )
    told = {(level, where): message for level, where, message in found(validate_benchmark(copied))}
    true = hashlib.sha256((copied / "mixed-v0" / "data" / "main_data.hdf5").read_bytes()).hexdigest()
    assert told == {
        ("error", "mixed-v0.sha256"): f"benchmark.json says {'0' * 64}, the data is {true}",
        ("error", "mixed-v0.steps"): "benchmark.json says 13, the data is 12",
        ("error", "gone-v0"): "benchmark.json lists the dataset, and it is not here",
        ("warning", "extra-v0"): told["warning", "extra-v0"],
    }
    assert told["warning", "extra-v0"].endswith(("does not list it", "'wind/extra-v0'"))


def test_datasets_have_the_environments_spaces(copied: Path) -> None:
    def narrow(said: dict[str, Any]) -> None:
        said["environment"]["observation_space"]["subspaces"]["wind"]["high"] = 2
        said["environment"]["action_space"]["nvec"] = [2, 4]

    change(copied, narrow)
    shutil.rmtree(artifact(copied, "rollouts").parent)
    told = {where for level, where, _ in found(validate_benchmark(copied)) if level == "error"}
    assert {"mixed-v0.observation_space", "mixed-v0.action_space"} <= told


def test_a_damaged_dataset_does_not_end_the_check(copied: Path) -> None:
    (copied / "mixed-v0" / "data" / "main_data.hdf5").write_bytes(b"no HDF5")
    report = validate_benchmark(copied, datasets=True)
    (problem,) = report.problems
    assert (problem.level, problem.where) == ("error", "mixed-v0")
    assert "cannot be opened" in problem.message
    assert not report.datasets["mixed-v0"].ok


def test_an_error_in_the_values_is_found_where_asked_for(copied: Path) -> None:
    import h5py

    with h5py.File(copied / "mixed-v0" / "data" / "main_data.hdf5", "a") as file:
        file["episode_1/rewards"][2] = np.nan
    change(
        copied,
        lambda said: said["datasets"]["mixed-v0"].update(
            sha256=hashlib.sha256((copied / "mixed-v0/data/main_data.hdf5").read_bytes()).hexdigest()
        ),
    )
    assert validate_benchmark(copied).ok
    report = validate_benchmark(copied, datasets=True, adapters=False)
    assert not report.ok
    assert "episode_1/rewards[2]" in [problem.where for problem in report.datasets["mixed-v0"].problems]


def test_a_shared_interface_must_not_tell_what_is_private(copied: Path) -> None:
    def hide(said: dict[str, Any]) -> None:
        said["environment"].update(entry_point=None, kwargs={}, wrappers=[])
        said["rollouts"] = None

    change(copied, hide)
    told = {(level, where) for level, where, _ in found(validate_benchmark(copied))}
    assert told == {("error", "artifacts.code")}
    metadata = copied / "mixed-v0" / "data" / "metadata.json"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "eval_env_spec": "{}"}))
    told = {(level, where) for level, where, _ in found(validate_benchmark(copied))}
    assert told == {("error", "artifacts.code"), ("error", "mixed-v0.eval_env_spec")}


def test_a_private_benchmark_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: Path) -> None:
    env = gymnasium.make("CartPole-v1")
    with Recorder(env, "plant/random-v0", autoseed=True) as recorder:
        recorder.reset(seed=1)
        while not any(recorder.step(0)[2:4]):
            pass
    bench = Benchmark.from_env(env, name="plant", private=True, description="A plant.", licence="secret")
    bench.save(tmp_path / "shared" / "plant", datasets=True)
    told = found(validate_benchmark(tmp_path / "shared" / "plant"))
    assert [(level, where) for level, where, _ in told] == [
        ("warning", "README.md"),
        ("warning", "reference_scores"),
    ]
    bench.save()  # next to the dataset that the owner keeps, which says what the environment is
    assert ("error", "random-v0.env_spec") in {
        (level, where) for level, where, _ in found(validate_benchmark(tmp_path / "datasets" / "plant"))
    }


def test_what_is_missing_and_what_is_odd(copied: Path) -> None:
    (copied / "README.md").unlink()

    def forget(said: dict[str, Any]) -> None:
        said.update(licence=None, description="", name="other", rollouts=None)
        said["reference_scores"]["expert"]["mean"] = 0.5
        said["artifacts"].pop("rollouts")

    change(copied, forget)
    report = validate_benchmark(copied)
    told = {where: (level, message) for level, where, message in found(report)}
    assert told.keys() == {
        "rollouts",
        "mixed-v0",
        "README.md",
        "licence",
        "description",
        "name",
        "reference_scores",
        f"artifacts/{artifact_of_rollouts(copied)}",
    }
    assert {level for level, _ in told.values()} == {"warning"}
    assert told["reference_scores"][1] == "the expert is not better than random: 0.5 and 1"
    change(copied, lambda said: said["reference_scores"].pop("random"))
    told = {where: (level, message) for level, where, message in found(validate_benchmark(copied))}
    assert told["reference_scores"][1] == "without random no score can be normalised"


def artifact_of_rollouts(directory: Path) -> str:
    (path,) = directory.glob("artifacts/*/rollouts.zip")
    return path.relative_to(directory / "artifacts").as_posix()


def test_spaces_are_compared_by_what_they_hold() -> None:
    from pytupli_registry.benchmarks.spaces import describe_space, same_space
    from pytupli_registry.dataset.spaces import from_gymnasium

    distinct = [
        spaces.Box(-1, 1, (2,), np.float32),
        spaces.Box(-1, 1, (2,), np.float64),
        spaces.Box(-1, 1, (3,), np.float32),
        spaces.Box(np.array([-1, 0], np.float32), np.array([1, 1], np.float32)),
        spaces.Box(-np.inf, 1, (2,), np.float32),
        spaces.Box(0, 1, (0, 3), np.float32),
        spaces.Discrete(3),
        spaces.Discrete(3, start=1),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiDiscrete([2, 3], start=[0, 1]),
        spaces.MultiBinary(3),
        spaces.MultiBinary([3, 1]),
        spaces.Text(4),
        spaces.Text(4, charset="ab"),
        spaces.Dict(a=spaces.Discrete(3)),
        spaces.Dict(b=spaces.Discrete(3)),
        spaces.Tuple([spaces.Discrete(3), spaces.Discrete(3)]),
    ]
    for number, one in enumerate(distinct):
        for other_number, other in enumerate(distinct):
            same = number == other_number
            assert same_space(describe_space(one), from_gymnasium(other)) is same
            assert same_space(from_gymnasium(one), from_gymnasium(other)) is same
