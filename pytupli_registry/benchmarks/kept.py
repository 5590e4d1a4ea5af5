"""A benchmark as it is kept: what its files say and hold, nothing of which runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pytupli_registry.benchmarks import datasets as datasets_
from pytupli_registry.benchmarks.artifacts.files import verified_path
from pytupli_registry.benchmarks.artifacts.reader import ArtifactReader
from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
from pytupli_registry.benchmarks.describing import specify
from pytupli_registry.benchmarks.difference import Difference, differences
from pytupli_registry.benchmarks.facts import names_of
from pytupli_registry.benchmarks.home import find_benchmark, local_directory, remote_benchmark
from pytupli_registry.benchmarks.identity import identity_of
from pytupli_registry.benchmarks.policy_files import policy_entry
from pytupli_registry.benchmarks.published import open_remote_dataset, remote_dataset_names
from pytupli_registry.benchmarks.reading import read_specification
from pytupli_registry.benchmarks.saving import delete_benchmark, save_benchmark
from pytupli_registry.benchmarks.spaces import space_of
from pytupli_registry.errors import BenchmarkNotFound, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import gymnasium

    from pytupli_registry.benchmarks.specification import ArtifactEntry, BenchmarkSpecification
    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.remote.repository_copy import RepositoryCopy

__all__ = ["KeptBenchmark"]


@dataclass(frozen=True, eq=False)
class KeptBenchmark:
    """What ``benchmark.json`` says, with the artifacts, policies and datasets beside it, here or on a Hub.

    Attributes:
        specification: what ``benchmark.json`` says.
        directory: where it was loaded from; None before it is saved. Of one on a Hub, where its files are brought.
        repository: the commit of the Hub that it was loaded from; None for those that lie here.
    """

    specification: BenchmarkSpecification
    directory: Path | None = None
    repository: RepositoryCopy | None = None
    _spool: ArtifactSpool = field(default_factory=ArtifactSpool, repr=False)
    _stored: list[Path] = field(default_factory=list, repr=False)

    @classmethod
    def load(cls, reference: str | os.PathLike[str]) -> Self:
        """Load a benchmark by name from the local store or a Hub, or from its directory.

        Nothing it names is imported or built. Artifacts are checked against their hashes when they are used; those of
        a benchmark on a Hub (``acme/hvac``, ``hf://acme/hvac@v1``) come when they are needed.

        Raises:
            BenchmarkNotFound: there is none.
            HubError: the Hub refuses, or cannot be reached.
            FormatError: its ``benchmark.json`` says what a benchmark cannot say.
            UnsupportedFormat: it is of a format version that this release does not know.
        """
        copy = remote_benchmark(reference)
        if copy is not None:
            return cls.of(copy)
        directory = find_benchmark(reference)
        return cls(read_specification(directory), Path(os.path.abspath(directory)))  # noqa: PTH100 - links stay

    @classmethod
    def of(cls, copy: RepositoryCopy) -> Self:
        """Return the benchmark in a repository whose ``benchmark.json`` is here.

        Raises:
            FormatError, UnsupportedFormat: as :meth:`load`.
        """
        return cls(read_specification(copy.directory), copy.directory, copy)

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.specification.name

    @property
    def identity(self) -> str:
        """What is the same wherever the same benchmark is; see :func:`~.identity.identity_of`."""
        return identity_of(self.specification)

    @property
    def observation_space(self) -> gymnasium.Space[Any]:
        """The observation space, known without building anything."""
        return space_of(self.specification.environment.observation_space)

    @property
    def action_space(self) -> gymnasium.Space[Any]:
        """The action space, known without building anything."""
        return space_of(self.specification.environment.action_space)

    def save(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        datasets: bool | Iterable[str] = False,
        replace: bool = False,
    ) -> Path:
        """Write the benchmark, and return its directory.

        Args:
            directory: where to; None is its place in the local store.
            datasets: which of its datasets to copy along, ``True`` for all.
            replace: whether a benchmark of another identity may be replaced.

        Raises:
            BenchmarkExists: another benchmark is there already.
            ArtifactError: a file has changed since the benchmark was made.
            DatasetNotFound: there is no such dataset.
            WriteError: the directory cannot be written; what was there stays.
        """
        target = local_directory(self.name) if directory is None else Path(directory).expanduser()
        save_benchmark(self.specification, self._locate, target, replace=replace)
        wanted = self.dataset_names if datasets is True else names_of(datasets or ())
        told = not self.specification.data_only
        datasets_.copy_datasets(self._data_home, target, wanted, self.name, tell_environment=told)
        listed = datasets_.dataset_entries(target, self.specification.datasets)
        if listed != self.specification.datasets:
            relisted = self.specification.model_copy(update={"datasets": listed})
            save_benchmark(relisted, lambda entry: verified_path(entry, target), target)
        return target

    @property
    def dataset_names(self) -> tuple[str, ...]:
        """The names of its datasets, ``summer-v0``: those that are here, or on the Hub that it was loaded from."""
        if self.repository is not None:
            return remote_dataset_names(self.repository.snapshot)
        return datasets_.dataset_names(self._data_home)

    def dataset(self, name: str) -> Dataset:
        """Open one of its datasets.

        Raises:
            DatasetNotFound: there is none of that name here, or on the Hub that it was loaded from.
            FormatError: its files are damaged or unsafe.
            HubError: the Hub refuses, or cannot be reached.
        """
        if self.repository is not None:
            return open_remote_dataset(self.repository.snapshot, name)
        return datasets_.open_dataset(self._data_home, name)

    def policy_path(self, name: str) -> Path:
        """Return the file of one of its policies, checked against its hash.

        Raises:
            ArtifactError: there is none of that name.
            FormatError: the file is not what ``benchmark.json`` says.
        """
        return self._locate(self.specification.artifacts[policy_entry(self.specification, name).artifact])

    def artifact(self, name: str) -> Any:  # noqa: ANN401 - whatever was kept
        """Return the value of an artifact: what the environment's constructor gets.

        Raises:
            FormatError: there is none of that name, or its file is not what ``benchmark.json`` says.
            ArtifactError: what reads it is not installed.
        """
        return ArtifactReader(self._home(), self.specification.artifacts).read(name)

    def with_facts(self, **facts: Any) -> Self:  # noqa: ANN401 - the fields of BenchmarkSpecification
        """Return the benchmark with other texts, tags, metadata, licence and the like.

        Raises:
            ArtifactError: a field is not what it has to be.
        """
        return self._with(**facts)

    def differences(self, other: KeptBenchmark) -> tuple[Difference, ...]:
        """Return what tells another benchmark apart from this one, key by key."""
        return differences(self.specification, other.specification)

    def delete(self, *, datasets: bool = False) -> None:
        """Delete the benchmark from the directory that it was loaded from; its datasets stay unless they are to go, too.

        Raises:
            BenchmarkNotFound: it was loaded from none.
            WriteError: the directory cannot be changed.
        """
        if self.directory is None:
            hint = f"Load what was saved, and delete that: Benchmark.load({self.name!r}).delete()."
            raise BenchmarkNotFound(self.name, "any directory that this one was loaded from", hint=hint)
        if self.repository is not None:
            snapshot = self.repository.snapshot
            raise WriteError(
                f"{snapshot.repo} lies on {snapshot.hub.endpoint}, and is not deleted from here.",
                hint=f"hf repos delete {snapshot.repo} --repo-type dataset",
            )
        delete_benchmark(self.directory, datasets=datasets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeptBenchmark) and self.specification == other.specification

    def __hash__(self) -> int:
        return hash((self.name, self.identity))

    def __repr__(self) -> str:
        where = "not saved" if self.directory is None else f"in {self.directory}"
        return f"<Benchmark {self.name}: {self.specification.environment.id}, {where}>"

    def _with(self, **facts: Any) -> Self:  # noqa: ANN401
        made = specify({**dict(self.specification), **facts})
        return replace(self, specification=made)

    def _home(self) -> Path:
        """Return the directory with the artifacts; those of an unsaved benchmark are put into a temporary one."""
        if self.directory is not None:
            self._bring_artifacts()
            return self.directory
        if not self._stored:
            self._stored.append(self._spool.scratch("stored"))
            self._spool.store(self._stored[0])
        return self._stored[0]

    def _locate(self, entry: ArtifactEntry) -> Path:
        if entry.sha256 in self._spool.contents:
            return self._spool.contents[entry.sha256]
        if self.repository is not None:
            self.repository.file(entry.path)
        return verified_path(entry, self.directory or self._home())

    def _bring_artifacts(self) -> None:
        """Bring what the environment may need from the Hub; policies come when they are asked for."""
        if self.repository is None:
            return
        policies = {policy.artifact for policy in self.specification.policies.values()}
        for name, entry in self.specification.artifacts.items():
            if name not in policies and entry.sha256 not in self._spool.contents:
                self.repository.file(entry.path)

    @property
    def _data_home(self) -> Path:
        return local_directory(self.name) if self.directory is None else self.directory
