"""The benchmarks of the local store, those that cannot be read among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.datasets import dataset_names
from pytupli_registry.benchmarks.home import local_benchmarks
from pytupli_registry.benchmarks.identity import identity_of
from pytupli_registry.benchmarks.reading import read_specification
from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.benchmarks.specification import BenchmarkSpecification

__all__ = ["StoredBenchmark", "list_benchmarks"]


@dataclass(frozen=True, slots=True)
class StoredBenchmark:
    """A benchmark as it lies in the store.

    Attributes:
        name: what :meth:`Benchmark.load` finds it by.
        directory: where it is.
        specification: what its ``benchmark.json`` says; None where that cannot be read.
        identity: what is the same wherever the same benchmark is; None likewise.
        datasets: the names of its datasets that are here, ``summer-v0``.
        problem: why it cannot be read, or what is odd about it.
    """

    name: str
    directory: Path
    specification: BenchmarkSpecification | None
    identity: str | None
    datasets: tuple[str, ...]
    problem: str | None = None


def list_benchmarks() -> list[StoredBenchmark]:
    """Return every benchmark of the local store, by name; those that cannot be read say why."""
    return [_stored(name, directory) for name, directory in local_benchmarks().items()]


def _stored(name: str, directory: Path) -> StoredBenchmark:
    try:
        datasets = dataset_names(directory)
    except OSError as error:
        return StoredBenchmark(name, directory, None, None, (), f"{directory}: {error.strerror}.")
    try:
        specification = read_specification(directory)
        identity = identity_of(specification)
    except PytupliError as error:
        return StoredBenchmark(name, directory, None, None, datasets, error.message)
    called = specification.name
    problem = None if called == name.rpartition("/")[2] else f"It calls itself {called!r}."
    return StoredBenchmark(name, directory, specification, identity, datasets, problem)
