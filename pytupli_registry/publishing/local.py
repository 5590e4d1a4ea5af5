"""What lies on this machine and is to be published: found, opened, and checked without asking anybody."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.benchmarks.home import find_benchmark
from pytupli_registry.benchmarks.reading import FILE_NAME
from pytupli_registry.benchmarks.specification import DatasetEntry
from pytupli_registry.config import ClientConfig
from pytupli_registry.dataset.spaces import leaf_spaces
from pytupli_registry.errors import (
    BenchmarkNotFound,
    DatasetNotFound,
    FormatError,
    InvalidReference,
    PublicationRefused,
)
from pytupli_registry.references import Reference
from pytupli_registry.storage.local import LocalStore, read_metadata
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME, trusted_index
from pytupli_registry.validation.lints import bounds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.storage.records import Index

__all__ = ["Found", "LocalDataset", "find", "open_local", "value_problems"]

_FILES = (DATA_NAME, METADATA_NAME, INDEX_NAME)


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be published, not opened yet.

    Attributes:
        name: of the benchmark or namespace, and so of the repository; None where nothing says it.
        directory: of the benchmark, the namespace, or what the dataset lies in.
        datasets: where each dataset lies in ``directory``, by its path in the repository.
        is_benchmark: whether the whole benchmark is meant.
    """

    name: str | None
    directory: Path
    datasets: dict[str, str]
    is_benchmark: bool

    @property
    def shown(self) -> str:
        """How messages call it."""
        if self.is_benchmark or len(self.datasets) != 1:
            return self.name or str(self.directory)
        return "/".join(filter(None, (self.name, next(iter(self.datasets)))))


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """A dataset whose files were opened and found to describe each other.

    Attributes:
        path: in the repository, ``summer-v0``.
        directory: with its files.
        metadata: as it will be published.
        index: of its data file, verified.
        index_path: file that holds the index.
    """

    path: str
    directory: Path
    metadata: DatasetMetadata
    index: Index
    index_path: Path

    @property
    def data_path(self) -> Path:
        """The data file."""
        return self.directory / DATA_NAME

    def entry(self, known: DatasetEntry | None) -> DatasetEntry:
        """Return what ``benchmark.json`` says of it; a description that is known already stays."""
        told = self.metadata.extra.get("description")
        description = told if isinstance(told, str) and len(told) <= 20_000 else ""
        return DatasetEntry(
            sha256=self.index.data_sha256,
            size=self.index.data_size,
            episodes=len(self.index.table),
            steps=self.index.table.step_count,
            description=(known.description if known is not None else "") or description,
        )

    def metadata_bytes(self) -> bytes:
        """Return ``metadata.json``: the file as it is, unless something in it has to be different."""
        if read_metadata(self.directory) == self.metadata:
            return (self.directory / METADATA_NAME).read_bytes()
        return self.metadata.to_json().encode()


def find(what: Benchmark | Dataset | str | os.PathLike[str]) -> Found:
    """Find what is to be published.

    Args:
        what: a saved benchmark or an unfiltered dataset; the name or directory of a benchmark; a dataset's id or
            directory; or a namespace, for all datasets in it.

    Raises:
        BenchmarkNotFound, DatasetNotFound: there is no such thing on this machine.
        PublicationRefused: it was not saved yet.
        InvalidReference: the text is no reference, or names the Hub.
    """
    if isinstance(what, str) and not what.startswith((".", "~", os.sep)):
        return _named(what)
    if isinstance(what, str | os.PathLike):
        return _in_directory(Path(os.path.abspath(Path(what).expanduser())))  # noqa: PTH100 - links stay
    return _object(what)


def _object(what: Benchmark | Dataset) -> Found:
    if isinstance(what, Benchmark):
        if what.directory is None:
            raise PublicationRefused(what.name, ["it was not saved yet."], hint="Call save() first.")
        return _in_directory(what.directory)
    if what.episode_filter is not None or what.step_filter is not None:
        raise PublicationRefused(
            what.metadata.dataset_id,
            ["filters hide a part of it, and only datasets as they are on disk are published."],
            hint="Make a dataset of what they keep first: pytupli_registry.save(dataset, 'name/selected-v0').",
        )
    return _in_directory(Path(what.source))


def _named(text: str) -> Found:
    reference = Reference.parse(text)
    if reference.scheme == "hf" or reference.revision is not None:
        raise InvalidReference(text, "what is published lies on this machine", hint="Give its local name.")
    store = LocalStore.from_environment()
    if reference.dataset is not None:
        directory = store.data_path(reference.dataset_id).parent
        return _dataset(directory, reference.dataset_id)
    try:
        return _in_directory(find_benchmark(text))
    except BenchmarkNotFound:
        prefix = "/".join(reference.namespace) + "/"
        inside = [found.dataset_id for found in store.list() if found.dataset_id.startswith(prefix)]
        if not inside:
            raise
        name = reference.namespace[0]
        paths = {one.removeprefix(f"{name}/"): one.removeprefix(f"{name}/") for one in inside}
        return Found(name, store.root / name, paths, is_benchmark=False)


def _in_directory(directory: Path) -> Found:
    if (directory / FILE_NAME).is_file():
        return Found(directory.name, directory, _inside(directory), is_benchmark=True)
    home = directory.parent if directory.name == "data" and (directory / DATA_NAME).exists() else directory
    if (home / "data" / DATA_NAME).exists():
        return _dataset(home, None)
    raise DatasetNotFound(
        str(directory.name),
        str(directory.parent),
        hint="Give a benchmark's directory, a dataset's, or the name of one in the local store.",
    )


def _inside(directory: Path) -> dict[str, str]:
    """Return the datasets in a benchmark's directory; linked ones too, which are looked at later."""
    names = sorted(child.name for child in directory.iterdir() if not child.name.startswith("."))
    return {name: name for name in names if (directory / name / "data" / DATA_NAME).exists()}


def _dataset(home: Path, place: str | None) -> Found:
    """Return one dataset: by Minari's id in it, where that fits its place in the store (or nothing else is known)."""
    said = read_metadata(home / "data").dataset_id
    dataset_id = said if place is None or place.endswith("/" + said) else place
    name, _, path = dataset_id.rpartition("/") if dataset_id.count("/") == 0 else dataset_id.partition("/")
    folders = path.count("/")
    directory = home.parents[folders]
    return Found(name or None, directory, {path: home.relative_to(directory).as_posix()}, is_benchmark=False)


def open_local(directory: Path, path: str, name: str, *, cache: Path | None = None) -> LocalDataset:
    """Open a dataset that is to be published.

    Args:
        directory: of the dataset, above ``data``.
        path: where it will lie in the repository.
        name: of the repository.
        cache: where verification stamps are kept; None asks the environment.

    Raises:
        FormatError: its files are damaged or unsafe.
    """
    data = directory / "data"
    read = read_metadata(data)
    stamps = Stamps(ClientConfig.from_environment().cache_path if cache is None else cache)
    index = trusted_index(data, read, stamps)
    stamp = stamps.find(data / DATA_NAME)
    index_path = data / INDEX_NAME if stamp is None else stamp.index_path
    if not index_path.is_file():
        raise FormatError(index_path, "the index could not be written, neither here nor in the cache")
    counted = read.with_counts(len(index.table), index.table.step_count)
    extra = dict(counted.extra)
    extra.setdefault("dataset_size", round((index.data_size + index_path.stat().st_size) / 1e6, 1))
    metadata = replace(counted, dataset_id=f"{name}/{path}", extra=extra)
    return LocalDataset(path, data, metadata, index, index_path)


def value_problems(dataset: LocalDataset) -> Iterator[str]:
    """Yield what the index alone tells to be wrong with values, and what ends Minari's listings."""
    metadata = dataset.metadata
    spaces = {
        **leaf_spaces(metadata.observation_space, "observations"),
        **leaf_spaces(metadata.action_space, "actions"),
    }
    for path, space in spaces.items():
        bounds, zones = bounds_of(space), dataset.index.table.zones.get(path)
        if bounds is None or zones is None or space.kind == "Box":
            continue
        count = zones[0].shape[1]
        low, high = (np.broadcast_to(bound, space.shape).ravel()[:count] for bound in bounds)
        outside = int(np.count_nonzero(np.any((zones[0] < low) | (zones[1] > high), axis=1)))
        if outside:
            yield f"{dataset.path}: values of {path} lie outside its {space.kind} space, in {outside:,} episodes."
    yield from (f"{dataset.path}: {problem}" for problem in _minari_problems(metadata.extra))


def _minari_problems(extra: dict[str, Any] | Any) -> Iterator[str]:  # noqa: ANN401 - a mapping of JSON
    size = extra.get("dataset_size")
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 <= size <= 1e12:
        yield "'dataset_size' in metadata.json has to be a number of megabytes for Minari."
    author = extra.get("author")
    authors = [author] if isinstance(author, str) else author
    if authors is not None and not (
        isinstance(authors, list) and all(isinstance(one, str) and "[/" not in one for one in authors)
    ):
        yield "'author' in metadata.json has to be a text or a list of texts without '[/' for Minari."
    url = extra.get("docs_url")
    if url is not None and not (isinstance(url, str) and "[" not in url):
        yield "'docs_url' in metadata.json has to be a URL without square brackets for Minari."
