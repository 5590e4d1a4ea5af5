"""The datasets that lie in a benchmark's directory."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytupli_registry.benchmarks.specification import DatasetEntry
from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import (
    DatasetExists,
    DatasetNotFound,
    FormatError,
    UnsafeFile,
    WriteError,
)
from pytupli_registry.references import Reference
from pytupli_registry.storage.columns import FileIdentity
from pytupli_registry.storage.durable import make_directories, write_durably
from pytupli_registry.storage.local import open_directory, read_metadata
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME, trusted_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytupli_registry.dataset.dataset import Dataset

__all__ = [
    "copy_dataset",
    "copy_datasets",
    "dataset_entries",
    "dataset_entry",
    "dataset_names",
    "open_dataset",
]

# What `metadata.json` may say of a dataset whose environment is not shared, beside counts and spaces: anything else
# may name it, as Minari's `eval_env_spec`, `code_permalink` and `requirements` do.
_TOLD = frozenset({"algorithm_name", "author", "author_email", "dataset_size", "description"}) | {
    "ref_max_score",
    "ref_min_score",
    "num_episodes_average_score",
}


def dataset_names(directory: Path) -> tuple[str, ...]:
    """Return the names of the datasets in a benchmark's directory, ``summer-v0``, sorted."""
    if not directory.is_dir():
        return ()
    return tuple(
        sorted(
            child.name
            for child in directory.iterdir()
            if not child.name.startswith(".")
            and not child.is_symlink()
            and (child / "data" / DATA_NAME).is_file()
        )
    )


def open_dataset(directory: Path, name: str) -> Dataset:
    """Open a dataset of a benchmark.

    Raises:
        DatasetNotFound: there is none of that name.
        FormatError: its files are damaged or unsafe.
    """
    return open_directory(_data_directory(directory, name))


def dataset_entry(directory: Path, name: str) -> DatasetEntry:
    """Return what ``benchmark.json`` says of a dataset: its hash and counts, from the verified index.

    Raises:
        DatasetNotFound: there is none of that name.
        FormatError: its files are damaged or unsafe.
    """
    data = _data_directory(directory, name)
    metadata = read_metadata(data)
    index = trusted_index(data, metadata, Stamps(ClientConfig.from_environment().cache_path))
    description = metadata.extra.get("description")
    try:
        return DatasetEntry(
            sha256=index.data_sha256,
            size=index.data_size,
            episodes=len(index.table),
            steps=index.table.step_count,
            description=description if isinstance(description, str) else "",
        )
    except ValidationError as error:  # nothing else of it comes from a file as it is
        problem = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise FormatError(data / METADATA_NAME, problem, where="description") from error


def dataset_entries(directory: Path, known: Mapping[str, DatasetEntry]) -> dict[str, DatasetEntry]:
    """Return what ``benchmark.json`` says of each dataset in a directory; a description that it has already stays.

    Raises:
        FormatError: the files of one are damaged or unsafe.
    """
    entries = {name: dataset_entry(directory, name) for name in dataset_names(directory)}
    for name in entries.keys() & known.keys():
        if known[name].description:
            entries[name] = entries[name].model_copy(update={"description": known[name].description})
    return entries


def copy_datasets(
    source: Path, target: Path, names: Sequence[str], benchmark: str, *, tell_environment: bool
) -> None:
    """Copy datasets as :func:`copy_dataset` does; where source and target are the same, they only have to be there.

    Raises:
        DatasetNotFound: there is none of one of the names.
        DatasetExists: another dataset of a name is in the target.
        WriteError: the target cannot be written.
    """
    for name in names:
        if source.resolve() != target.resolve():
            copy_dataset(source, target, name, benchmark, tell_environment=tell_environment)
        elif name not in dataset_names(source):
            raise DatasetNotFound(name, f"the benchmark in {source}", known=dataset_names(source))


def copy_dataset(source: Path, target: Path, name: str, benchmark: str, *, tell_environment: bool) -> None:
    """Copy a dataset from one benchmark's directory into another's, in one step.

    Args:
        source: the directory it is in.
        target: the directory it goes to; the same dataset there is left as it is.
        name: of the dataset.
        benchmark: whose it will be; the id in ``metadata.json`` becomes ``<benchmark>/<name>``.
        tell_environment: whether ``metadata.json`` may name the environment, its arguments and its code.

    Raises:
        DatasetNotFound: there is none of that name.
        DatasetExists: another dataset of that name is in the target.
        FormatError: its files are damaged, or links, or nothing that could be copied.
        WriteError: the target cannot be written.
    """
    origin = _data_directory(source, name)
    home = target / name
    if (home / "data").exists():
        if dataset_entry(target, name).sha256 != dataset_entry(source, name).sha256:
            raise DatasetExists(f"{benchmark}/{name}")
        return
    files = [origin / name for name in (DATA_NAME, INDEX_NAME, METADATA_NAME)]
    _refuse_links(files)
    metadata = replace(read_metadata(origin), dataset_id=f"{benchmark}/{name}")
    if not tell_environment:
        told = {key: value for key, value in metadata.extra.items() if key in _TOLD}
        metadata = replace(metadata, env_spec=None, extra=told)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=target, ignore_cleanup_errors=True) as made:
            copied = Path(made) / name
            make_directories(copied / "data")
            for file in files:
                if file.name != METADATA_NAME and file.exists():
                    FileIdentity.of(file)  # nothing that would be read for ever
                    shutil.copyfile(file, copied / "data" / file.name)
            write_durably(copied / "data" / METADATA_NAME, metadata.to_json())
            copied.rename(home)
    except OSError as error:
        raise WriteError(
            f"The dataset {name!r} cannot be copied to {target}: {error.strerror or error}."
        ) from error


def _refuse_links(files: Sequence[Path]) -> None:
    """Refuse files that are links, or in a directory that is: they may lead to what is nobody else's business."""
    for file in files:
        if any(path.is_symlink() for path in (file, file.parent, file.parent.parent)):
            raise UnsafeFile(file, "a link is on the way to it, and is not followed")


def _data_directory(directory: Path, name: str) -> Path:
    segments = (*Reference.parse_dataset(name).namespace, name)
    data = directory.joinpath(*segments) / "data"
    if len(segments) != 1 or not (data / DATA_NAME).is_file():
        raise DatasetNotFound(name, f"the benchmark in {directory}", known=dataset_names(directory))
    return data
