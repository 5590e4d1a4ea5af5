"""What will be published, opened and checked, with everything that speaks against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.reading import FILE_NAME, read_specification
from pytupli_registry.benchmarks.specification import DatasetEntry
from pytupli_registry.errors import PytupliError
from pytupli_registry.hub.commits import Addition
from pytupli_registry.publishing.card import CARD, LARGEST
from pytupli_registry.publishing.front_matter import hand_written, split
from pytupli_registry.publishing.local import open_local, value_problems
from pytupli_registry.publishing.names import name_problems
from pytupli_registry.publishing.views import local_views, view_paths
from pytupli_registry.storage.namespaces import NAMESPACE_NAME
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME
from pytupli_registry.validation import validate
from pytupli_registry.validation.benchmark import validate_benchmark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytupli_registry.benchmarks.specification import BenchmarkSpecification
    from pytupli_registry.publishing.local import Found, LocalDataset
    from pytupli_registry.remote.views import View
    from pytupli_registry.validation.report import Report

__all__ = ["Prepared", "files_of", "prepare"]

# What people put beside a benchmark and expect to travel with it; nothing else does.
_COMPANIONS = (
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "NOTICE",
    "CITATION.cff",
    "CITATION.bib",
    "baselines.json",
)


@dataclass(slots=True)
class Prepared:
    """What will be published.

    Attributes:
        name: of the repository.
        specification: of the benchmark, None where only datasets are published.
        datasets: opened.
        views: that lie beside them, by the dataset's path.
        card: the card on this machine.
        namespace: the namespace file on this machine.
        files: artifacts, and what people put beside the benchmark.
        problems: what speaks against it, one sentence each.
        warnings: what is worth knowing.
    """

    name: str
    specification: BenchmarkSpecification | None = None
    datasets: list[LocalDataset] = field(default_factory=list)
    views: dict[str, list[View]] = field(default_factory=dict)
    card: str | None = None
    namespace: bytes | None = None
    files: list[Addition] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def files_of(found: Found) -> Iterator[str]:
    """Yield the paths, within its directory, of what may be published; some may not be there."""
    for place in found.datasets.values():
        yield from (f"{place}/data/{name}" for name in (DATA_NAME, METADATA_NAME, INDEX_NAME))
        yield from (f"{place}/{path}" for path in view_paths(found.directory / place))
    yield NAMESPACE_NAME
    yield FILE_NAME
    if found.is_benchmark:
        yield from (CARD, *_COMPANIONS)
    for path in sorted((found.directory / "artifacts").glob("*/*")):
        yield path.relative_to(found.directory).as_posix()


def prepare(
    found: Found,
    directory: Path,
    name: str,
    *,
    thorough: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Prepared:
    """Open and check what will be published; what is wrong is noted, not raised.

    Args:
        found: what that is.
        directory: where its files lie, without links.
        name: of the repository.
        thorough: read every value through h5py and compare; otherwise the verified index has to do.
        advance: called with 1 after each dataset.
    """
    made = Prepared(name)
    made.problems += name_problems(name, tuple(found.datasets))
    if (directory / FILE_NAME).is_file():
        _check_benchmark(found, directory, made)
    if found.is_benchmark:
        _read_texts(directory, made)
    if (directory / NAMESPACE_NAME).is_file():
        made.namespace = (directory / NAMESPACE_NAME).read_bytes()
    for path, place in found.datasets.items():
        _open(directory / place, path, made, thorough=thorough)
        if advance is not None:
            advance(1)
    if not found.datasets and not found.is_benchmark:
        made.problems.append("there is no dataset in it.")
    return made


def _check_benchmark(found: Found, directory: Path, made: Prepared) -> None:
    """Check the benchmark around what will be published, and keep it if it is published too."""
    report = validate_benchmark(directory)
    try:
        specification = read_specification(directory)
    except PytupliError as error:
        if found.is_benchmark:
            made.problems.append(_sentence(FILE_NAME, error.message))
        return
    # Counts and hashes are written anew from the data; datasets may be on the Hub alone.
    fresh = {f"{one}.{key}" for one in found.datasets for key in DatasetEntry.model_fields}
    absent = specification.datasets.keys() - found.datasets.keys()
    for problem in report.problems:
        mine = found.is_benchmark or problem.where.partition(".")[0] in found.datasets
        # The card is made in any case.
        if mine and problem.where not in fresh | absent | {CARD}:
            kind = made.problems if problem.level == "error" else made.warnings
            kind.append(_sentence(problem.where, problem.message))
    if found.is_benchmark:
        made.specification = specification
        if specification.name != made.name:
            made.problems.append(
                f"the benchmark calls itself {specification.name!r}, and the repository {made.name!r}: they have the same name."
            )
        made.files += [
            Addition(entry.path, directory / entry.path, entry.sha256)
            for entry in specification.artifacts.values()
        ]


def _read_texts(directory: Path, made: Prepared) -> None:
    made.files += [Addition(name, directory / name) for name in _COMPANIONS if (directory / name).is_file()]
    path = directory / CARD
    if not path.is_file():
        return
    if path.stat().st_size > LARGEST:
        made.problems.append(f"{CARD}: it is larger than {LARGEST:,} bytes.")
        return
    try:
        made.card = path.read_text(encoding="utf-8")
        hand_written(split(made.card)[0])
    except UnicodeDecodeError:
        made.problems.append(f"{CARD}: it is not UTF-8.")
    except PytupliError as error:
        made.problems.append(error.message)


def _open(directory: Path, path: str, made: Prepared, *, thorough: bool) -> None:
    try:
        dataset = open_local(directory, path, made.name)
        made.problems += value_problems(dataset)
        made.datasets.append(dataset)
        made.views[path], problems = local_views(dataset)
        made.problems += problems
        if thorough:
            _tell(validate(directory / "data", adapters=False), path, made)
    except PytupliError as error:
        made.problems.append(_sentence(path, error.message))


def _tell(report: Report, path: str, made: Prepared) -> None:
    for problem in report.problems:
        kind = made.problems if problem.level == "error" else made.warnings
        kind.append(_sentence(f"{path}, {problem.where}", problem.message))


def _sentence(place: str, message: str) -> str:
    return f"{place}: {message.rstrip('.')}."
