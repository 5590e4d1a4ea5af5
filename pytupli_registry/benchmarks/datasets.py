"""The datasets that lie in a benchmark's directory."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.specification import DatasetEntry
from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import DatasetExists, DatasetNotFound, WriteError
from pytupli_registry.references import Reference
from pytupli_registry.storage.local import open_directory, read_metadata
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import DATA_NAME, METADATA_NAME, trusted_index

if TYPE_CHECKING:
    from pytupli_registry.dataset.dataset import Dataset

__all__ = ["copy_dataset", "dataset_entry", "dataset_names", "open_dataset"]


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
    return DatasetEntry(
        sha256=index.data_sha256,
        size=index.data_size,
        episodes=len(index.table),
        steps=index.table.step_count,
        description=description if isinstance(description, str) else "",
    )


def copy_dataset(source: Path, target: Path, name: str, benchmark: str, *, tell_environment: bool) -> None:
    """Copy a dataset from one benchmark's directory into another's, in one step.

    Args:
        source: the directory it is in.
        target: the directory it goes to; the same dataset there is left as it is.
        name: of the dataset.
        benchmark: whose it will be; the id in ``metadata.json`` becomes ``<benchmark>/<name>``.
        tell_environment: whether ``metadata.json`` may name the environment and its arguments.

    Raises:
        DatasetNotFound: there is none of that name.
        DatasetExists: another dataset of that name is in the target.
        WriteError: the target cannot be written.
    """
    origin = _data_directory(source, name)
    home = target / name
    if (home / "data").exists():
        if dataset_entry(target, name).sha256 != dataset_entry(source, name).sha256:
            raise DatasetExists(f"{benchmark}/{name}")
        return
    partial: Path | None = None
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=target))
        shutil.copytree(origin, partial / "data")
        _rename(partial / "data" / METADATA_NAME, f"{benchmark}/{name}", tell_environment=tell_environment)
        partial.chmod(0o755)
        partial.rename(home)
    except OSError as error:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        raise WriteError(
            f"The dataset {name!r} cannot be copied to {target}: {error.strerror or error}."
        ) from error


def _rename(path: Path, dataset_id: str, *, tell_environment: bool) -> None:
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["dataset_id"] = dataset_id
    if not tell_environment:
        metadata["env_spec"] = None
        metadata.pop("eval_env_spec", None)
    with path.open("w", encoding="utf-8") as file:
        json.dump(metadata, file)
        file.flush()
        os.fsync(file.fileno())


def _data_directory(directory: Path, name: str) -> Path:
    segments = (*Reference.parse_dataset(name).namespace, name)
    data = directory.joinpath(*segments) / "data"
    if len(segments) != 1 or not (data / DATA_NAME).is_file():
        raise DatasetNotFound(name, f"the benchmark in {directory}", known=dataset_names(directory))
    return data
