"""A repository as it is before a commit: what its own files say, and what would differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.reading import FILE_NAME as BENCHMARK
from pytupli_registry.benchmarks.reading import specification_from_json
from pytupli_registry.errors import FormatError, RepositoryNotFound
from pytupli_registry.publishing.card import CARD, LARGEST
from pytupli_registry.publishing.namespaces import FILE as NAMESPACE
from pytupli_registry.publishing.namespaces import datasets_of
from pytupli_registry.publishing.provenance import FILE_NAME as PROVENANCE
from pytupli_registry.publishing.provenance import Provenance
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytupli_registry.benchmarks.specification import BenchmarkSpecification
    from pytupli_registry.hub.commits import Addition
    from pytupli_registry.hub.snapshots import Hub, RemoteFile, Snapshot

__all__ = ["Repository", "changed_files", "data_files"]

_LIMITS = {CARD: LARGEST, BENCHMARK: 16 << 20, PROVENANCE: 64 << 20, NAMESPACE: 1 << 20}


def data_files(path: str) -> tuple[str, str, str]:
    """Return the paths of a dataset's data, metadata and index."""
    return tuple(f"{path}/data/{name}" for name in (DATA_NAME, METADATA_NAME, INDEX_NAME))  # type: ignore[return-value]


@dataclass(frozen=True)
class Repository:
    """A repository at the head of a branch; one that does not exist yet holds nothing.

    Attributes:
        repo: ``acme/hvac``.
        snapshot: None where there is no such repository.
    """

    repo: str
    snapshot: Snapshot | None

    @classmethod
    def at_head(cls, hub: Hub, repo: str, revision: str | None = None) -> Repository:
        """Look at a repository.

        Raises:
            RevisionNotFound: it has no such branch.
            HubUnreachable: no Hub answers.
        """
        try:
            return cls(repo, hub.snapshot(repo, revision))
        except RepositoryNotFound:
            return cls(repo, None)

    @property
    def name(self) -> str:
        """Of the benchmark and Minari's namespace."""
        return self.repo.partition("/")[2]

    def look(self, paths: Iterable[str]) -> dict[str, RemoteFile]:
        """Return those of some files that are there."""
        return {} if self.snapshot is None else self.snapshot.look(paths)

    def read(self, path: str) -> bytes | None:
        """Return a small file, None where there is none.

        Raises:
            HubError: it is too large, or the Hub refuses or cannot be reached.
        """
        if self.snapshot is None or path not in self.look([*_LIMITS, path]):
            return None
        return self.snapshot.read(path, _LIMITS.get(path, 1 << 24))

    @cached_property
    def specification(self) -> BenchmarkSpecification | None:
        """What ``benchmark.json`` says.

        Raises:
            FormatError: it cannot be read.
        """
        content = self.read(BENCHMARK)
        return None if content is None else specification_from_json(_text(content, BENCHMARK), BENCHMARK)

    @cached_property
    def provenance(self) -> Provenance:
        """What ``provenance.json`` says.

        Raises:
            FormatError: it cannot be read.
        """
        return Provenance.read(self.read(PROVENANCE))

    @cached_property
    def card(self) -> str | None:
        """What the card says.

        Raises:
            FormatError: it is no text.
        """
        content = self.read(CARD)
        return None if content is None else _text(content, CARD)

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Paths of the datasets that it lists and has.

        Raises:
            FormatError: its namespace file cannot be read.
        """
        listed = set(datasets_of(self.read(NAMESPACE), self.name))
        if self.specification is not None:
            listed |= self.specification.datasets.keys()
        there = self.look(f"{path}/data/{METADATA_NAME}" for path in sorted(listed))
        return tuple(sorted(path for path in listed if f"{path}/data/{METADATA_NAME}" in there))


def changed_files(repository: Repository, files: Iterable[Addition]) -> list[Addition]:
    """Return those files that the repository lacks, or has with another content."""
    wanted = list(files)
    there = repository.look(file.path for file in wanted)
    return [file for file in wanted if not _same(file, there.get(file.path))]


def _same(file: Addition, remote: RemoteFile | None) -> bool:
    if remote is None or remote.size != file.size:
        return False
    if isinstance(file.content, bytes):
        return remote.matches(file.content)
    if remote.sha256 is not None and file.sha256 is not None:
        return remote.sha256 == file.sha256
    hasher = remote.hasher()
    with file.content.open("rb") as opened:
        while piece := opened.read(1 << 20):
            hasher.update(piece)
    return bool(hasher.hexdigest() == remote.key)


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise FormatError(path, "it is not UTF-8") from error
