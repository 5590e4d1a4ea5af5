"""Validates a benchmark's directory; nothing in it is imported, built or run, and no link in it is followed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.benchmarks.artifacts.files import open_verified, verified_path
from pytupli_registry.benchmarks.building import CODE
from pytupli_registry.benchmarks.datasets import dataset_entry, dataset_names
from pytupli_registry.benchmarks.identity import identity_of
from pytupli_registry.benchmarks.reading import FILE_NAME, read_specification
from pytupli_registry.benchmarks.recorded import read_recorded
from pytupli_registry.benchmarks.saving import ARTIFACTS
from pytupli_registry.benchmarks.spaces import expanded, same_space
from pytupli_registry.benchmarks.specification import artifact_names
from pytupli_registry.dataset.spaces import leaf_spaces
from pytupli_registry.environments.requirements import parse_requirement
from pytupli_registry.environments.shipped_code import ShippedCode
from pytupli_registry.errors import FormatError, PytupliError
from pytupli_registry.storage.local import read_metadata
from pytupli_registry.validation.lints import bounds_of
from pytupli_registry.validation.report import Findings, Problem, Report
from pytupli_registry.validation.run import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytupli_registry.benchmarks.specification import ArtifactEntry, BenchmarkSpecification
    from pytupli_registry.dataset.episode import Episode
    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.validation.report import Level

__all__ = ["BenchmarkReport", "validate_benchmark"]

_CARD = "README.md"
_MAX_CODE = 16 << 20
_MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """What the validation of a benchmark looked at and found.

    Attributes:
        path: the benchmark's directory.
        problems: errors first.
        name: of the benchmark; None where its ``benchmark.json`` cannot be read.
        identity: likewise.
        artifacts_checked: number of artifacts that are what ``benchmark.json`` says.
        datasets_checked: number of datasets that are.
        datasets: what the validation of each dataset found, where that was asked for.
    """

    path: str
    problems: tuple[Problem, ...]
    name: str | None = None
    identity: str | None = None
    artifacts_checked: int = 0
    datasets_checked: int = 0
    datasets: dict[str, Report] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no error, in the datasets neither."""
        return not any(problem.level == "error" for problem in self.problems) and all(
            report.ok for report in self.datasets.values()
        )


def validate_benchmark(
    directory: Path,
    *,
    datasets: bool = False,
    adapters: bool = True,
    advance: Callable[[int], None] | None = None,
) -> BenchmarkReport:
    """Check a benchmark's directory, and say everything that is wrong with it at once.

    Args:
        directory: holds ``benchmark.json``.
        datasets: whether every value of its datasets is checked too, see :func:`~.run.validate`; their hashes, counts
            and spaces always are.
        adapters: of those, whether what d3rlpy and Minari get is compared.
        advance: called with 1 after each episode of those.
    """
    directory = Path(os.path.abspath(directory))  # noqa: PTH100 - resolve() would follow links
    findings = Findings()
    linked = _linked(directory, findings)
    if FILE_NAME in linked:
        return BenchmarkReport(str(directory), findings.problems())
    try:
        specification = read_specification(directory)
        identity = identity_of(specification)
    except PytupliError as error:
        findings.add("error", FILE_NAME, FILE_NAME, _told(error))
        return BenchmarkReport(str(directory), findings.problems())
    here = tuple(name for name in dataset_names(directory) if name not in linked)
    run = _Run(directory, specification, findings, here)
    run.check()
    reports = {
        name: _validated(directory / name / "data", name, adapters, advance)
        for name in (here if datasets else ())
    }
    return BenchmarkReport(
        path=str(directory),
        problems=findings.problems(),
        name=specification.name,
        identity=identity,
        artifacts_checked=run.artifacts_checked,
        datasets_checked=run.datasets_checked,
        datasets=reports,
    )


def _linked(directory: Path, findings: Findings) -> set[str]:
    """Note links and what is neither file nor directory; return what of the directory holds one."""
    linked: set[str] = set()
    for number, (place, entry) in enumerate(_entries(directory)):
        if number > _MAX_FILES:
            findings.add("error", place, "", f"the directory holds more than {_MAX_FILES:,} files")
            break
        if entry.is_symlink():
            findings.add("error", place, "link", "it is a link, which does not travel and is not followed")
            linked.add(place.partition("/")[0])
        elif not entry.is_file() and not entry.is_dir():
            findings.add("error", place, "special", "it is neither a file nor a directory")
    return linked


def _entries(directory: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield everything below a directory, in the order of the names, without following links."""
    waiting = [directory]
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as found:
                children = sorted(found, key=lambda entry: entry.name)
        except OSError:  # gone meanwhile, or somebody else's: what needs it says so
            continue
        for child in children:
            yield Path(child.path).relative_to(directory).as_posix(), child
            if child.is_dir(follow_symlinks=False):
                waiting.append(Path(child.path))


class _Run:
    """One validation: what it checks, and what it has found so far."""

    def __init__(
        self,
        directory: Path,
        specification: BenchmarkSpecification,
        findings: Findings,
        datasets: tuple[str, ...],
    ) -> None:
        self._directory = directory
        self._specification = specification
        self._findings = findings
        self._datasets = datasets
        self._sound: set[str] = set()
        self.artifacts_checked = self.datasets_checked = 0

    def check(self) -> None:
        """Check everything but the values of the datasets."""
        self._check_artifacts()
        self._check_strays()
        self._check_code()
        self._check_rollouts()
        self._check_requirements()
        self._check_datasets()
        self._check_texts()
        self._check_scores()

    def _add(self, level: Level, place: str, message: str, count: int = 1) -> None:
        self._findings.add(level, place, place, message, count)

    def _check_artifacts(self) -> None:
        used = set(self._used())
        for name, entry in self._specification.artifacts.items():
            if name not in used and not self._specification.data_only:
                self._add("warning", f"artifacts.{name}", "nothing uses it")
            try:
                verified_path(entry, self._directory)
            except FormatError as error:
                self._add("error", entry.path, error.problem)
                continue
            self._sound.add(name)
        self.artifacts_checked = len(self._sound)

    def _used(self) -> Iterator[str]:
        environment = self._specification.environment
        for kwargs in (environment.kwargs, *(wrapper.kwargs for wrapper in environment.wrappers)):
            yield from artifact_names(kwargs)
        if self._specification.rollouts is not None:
            yield self._specification.rollouts.artifact
        yield from (policy.artifact for policy in self._specification.policies.values())
        yield from (name for name, entry in self._specification.artifacts.items() if entry.codec == CODE)

    def _check_strays(self) -> None:
        listed = {entry.path for entry in self._specification.artifacts.values()}
        home = self._directory / ARTIFACTS
        if home.is_symlink():
            return
        for place, entry in _entries(home):
            if not entry.is_dir(follow_symlinks=False) and f"{ARTIFACTS}/{place}" not in listed:
                self._findings.add(
                    "warning", f"{ARTIFACTS}/{place}", "stray", f"nothing in {FILE_NAME} names this file"
                )

    def _check_code(self) -> None:
        for name, entry in self._specification.artifacts.items():
            if entry.codec != CODE:
                continue
            if self._specification.data_only:
                self._add("error", f"artifacts.{name}", "it is code of an implementation that is not shared")
            if name in self._sound:
                self._check_archive(entry)

    def _check_archive(self, entry: ArtifactEntry) -> None:
        try:
            with open_verified(entry, self._directory) as file:
                ShippedCode.from_bytes(file.read(_MAX_CODE + 1), entry.sha256)
        except PytupliError as error:
            self._add("error", entry.path, _told(error))

    def _check_rollouts(self) -> None:
        rollouts = self._specification.rollouts
        if rollouts is None:
            if not self._specification.data_only:
                self._add("warning", "rollouts", "there are none, so that only datasets can be verified")
            return
        if rollouts.artifact not in self._sound:
            return
        path = self._specification.artifacts[rollouts.artifact].path
        try:
            recorded = read_recorded(
                self._specification, lambda entry: verified_path(entry, self._directory), complete=False
            )
        except PytupliError as error:
            self._add("error", path, _told(error))
            return
        if len(recorded) != rollouts.episodes:
            self._add("error", path, f"it holds {len(recorded)} rollouts, and not {rollouts.episodes}")
        for episode in recorded:
            self._check_values(path, episode)

    def _check_values(self, path: str, episode: Episode) -> None:
        """Compare a rollout, whose shapes and dtypes have been checked, with the bounds of the spaces."""
        environment, leaves = self._specification.environment, episode.leaves()
        for root, described in (
            ("observations", environment.observation_space),
            ("actions", environment.action_space),
        ):
            for leaf, space in leaf_spaces(expanded(described), root).items():
                bounds = bounds_of(space)
                if bounds is None:
                    continue
                values = np.asarray(leaves[leaf])
                outside = int(np.count_nonzero((values < bounds[0]) | (values > bounds[1])))
                if outside:
                    level: Level = "warning" if space.kind == "Box" else "error"
                    self._findings.add(level, f"{path}/{leaf}", leaf, "values lie outside the space", outside)

    def _check_requirements(self) -> None:
        for entry in self._specification.requirements:
            try:
                parse_requirement(entry.requirement)
            except FormatError as error:
                self._add("error", "requirements", error.problem)

    def _check_datasets(self) -> None:
        here, listed = self._datasets, self._specification.datasets
        for name in here:
            self._check_dataset(name)
            if name not in listed:
                self._add("warning", name, f"the dataset is here, and {FILE_NAME} does not list it")
        for name in listed:
            if name not in here:
                self._add("error", name, f"{FILE_NAME} lists the dataset, and it is not here")

    def _check_dataset(self, name: str) -> None:
        data = self._directory / name / "data"
        try:
            metadata = read_metadata(data)
            self._check_metadata(name, metadata)
            found = dataset_entry(self._directory, name)
        except PytupliError as error:
            self._add("error", name, f"the dataset cannot be opened: {_told(error)}")
            return
        wanted = self._specification.datasets.get(name)
        if wanted is None:
            return
        said, counted = wanted.model_dump(exclude={"description"}), found.model_dump(exclude={"description"})
        self.datasets_checked += said == counted
        for key in said:
            if said[key] != counted[key]:
                self._add(
                    "error", f"{name}.{key}", f"{FILE_NAME} says {said[key]}, the data is {counted[key]}"
                )

    def _check_metadata(self, name: str, metadata: DatasetMetadata) -> None:
        environment = self._specification.environment
        for key in ("observation_space", "action_space"):
            if not same_space(getattr(environment, key), getattr(metadata, key)):
                self._add("error", f"{name}.{key}", "it is another space than the environment's")
        wanted = f"{self._specification.name}/{name}"
        if metadata.dataset_id != wanted:
            self._add("warning", name, f"it calls itself {metadata.dataset_id!r}, and not {wanted!r}")
        if self._specification.data_only:
            self._check_privacy(name, metadata)

    def _check_privacy(self, name: str, metadata: DatasetMetadata) -> None:
        told = {"env_spec": metadata.env_spec, "eval_env_spec": metadata.extra.get("eval_env_spec")}
        for key, value in told.items():
            if value:
                self._add(
                    "error", f"{name}.{key}", "it names the environment, whose implementation is not shared"
                )

    def _check_texts(self) -> None:
        specification = self._specification
        if not (self._directory / _CARD).is_file():
            self._add("warning", _CARD, "there is no card that says what the benchmark is good for")
        if not specification.licence:
            self._add("warning", "licence", "nothing says under which licence it may be used")
        if not specification.description:
            self._add("warning", "description", "it is empty")
        if self._directory.name != specification.name:
            self._add(
                "warning",
                "name",
                f"it calls itself {specification.name!r}, in a directory of the name {self._directory.name!r}",
            )

    def _check_scores(self) -> None:
        scores = self._specification.reference_scores
        missing = [name for name in ("random", "expert") if name not in scores]
        if missing:
            self._add(
                "warning", "reference_scores", f"without {' and '.join(missing)} no score can be normalised"
            )
        elif not scores["expert"].mean > scores["random"].mean:
            told = f"{scores['expert'].mean:.6g} and {scores['random'].mean:.6g}"
            self._add("warning", "reference_scores", f"the expert is not better than random: {told}")


def _validated(data: Path, name: str, adapters: bool, advance: Callable[[int], None] | None) -> Report:
    """Return what the validation of a dataset finds; one that cannot be opened is an error in it."""
    try:
        return validate(data, adapters=adapters, advance=advance)
    except PytupliError as error:
        problem = Problem("error", name, f"it cannot be opened: {_told(error)}")
        return Report(str(data), (problem,), 0, 0)


def _told(error: PytupliError) -> str:
    """Return what is wrong as it stands after the place, without a full stop."""
    problem: Any = error.problem if isinstance(error, FormatError) else error.message
    return str(problem).rstrip(".")
