"""Validates one dataset from its files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.conversion import adapter_names
from pytupli_registry.dataset.spaces import is_image, leaf_spaces
from pytupli_registry.errors import FormatError, PytupliError, UnsafeFile
from pytupli_registry.storage.hdf5.raw import RawFile, decode_frames, open_raw
from pytupli_registry.storage.index import read_index, same_index
from pytupli_registry.storage.local import open_directory, read_metadata
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, rebuild_index
from pytupli_registry.validation.adapters import AdapterCheck
from pytupli_registry.validation.comparison import compare_episode, compare_transitions
from pytupli_registry.validation.lints import Lints
from pytupli_registry.validation.report import Findings, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.storage.records import Index

__all__ = ["validate"]

_COMPARED = ("d3rlpy", "minari")


def validate(
    data_dir: Path,
    *,
    adapters: bool = True,
    advance: Callable[[int], None] | None = None,
) -> Report:
    """Check a dataset: its files, its values, and what others read out of it.

    Every transition is derived again from the HDF5 through h5py alone and compared, value by value, with what the
    dataset gives and with what the installed d3rlpy and Minari adapters deliver. One episode is in memory at a time.

    Args:
        data_dir: the directory that holds ``main_data.hdf5``.
        adapters: whether adapters are compared too.
        advance: called with 1 after each episode.

    Raises:
        FormatError: there is no ``main_data.hdf5`` or no ``metadata.json`` that can be read.
        UnsafeFile: the file asks for something that is refused.
    """
    metadata = read_metadata(data_dir)
    run = _Run(data_dir, metadata, Findings(), adapters=adapters)
    with open_raw(data_dir / DATA_NAME) as raw:
        run.check_names(raw.names())
        for name in raw.names():
            if name.startswith("episode_"):
                run.check_episode(raw, name)
            if advance is not None:
                advance(1)
    return run.report()


class _Run:
    """One validation: what it has open, and what it has found so far."""

    def __init__(
        self, data_dir: Path, metadata: DatasetMetadata, findings: Findings, *, adapters: bool
    ) -> None:
        self._data_dir, self._metadata, self._findings = data_dir, metadata, findings
        self._lints = Lints(metadata, findings)
        self._frames = {
            path: space.shape
            for description, root in (
                (metadata.observation_space, "observations"),
                (metadata.action_space, "actions"),
            )
            for path, space in leaf_spaces(description, root).items()
            if metadata.jpeg_encoding and is_image(space)
        }
        self._episodes = self._steps = self._transitions = 0
        self._skipped: list[str] = []
        self._check_index()
        self._dataset = self._open()
        self._positions = self._positions_by_id()
        self._adapters = self._convert() if adapters else []

    def check_names(self, names: list[str]) -> None:
        """Check that the file's root holds episodes 0 … N-1 and nothing else."""
        numbers = [name.removeprefix("episode_") for name in names]
        if numbers != [str(number) for number in range(len(names))]:
            self._findings.add("error", "/", "", "the file does not hold episodes 0 … N-1 and nothing else")

    def check_episode(self, raw: RawFile, name: str) -> None:
        """Read an episode through h5py, look at it, and compare it with what everyone else reads."""
        leaves = self._leaves(raw, name)
        self._episodes += 1
        if leaves is None:
            return
        whole = self._lints.episode(name, leaves)
        self._steps += int(np.size(leaves.get("rewards", ())))
        self._check_attributes(raw, name, leaves)
        position = self._positions.get(name)
        if position is None or not whole or self._dataset is None:
            return
        self._compare(name, position, leaves, self._dataset)

    def report(self) -> Report:
        """Return what was found, having checked the totals."""
        self._lints.finish()
        for key, said, counted in (
            ("total_episodes", self._metadata.total_episodes, self._episodes),
            ("total_steps", self._metadata.total_steps, self._steps),
        ):
            if said != counted:
                self._findings.add(
                    "error", f"metadata.json/{key}", key, f"it says {said}, the data holds {counted}"
                )
        return Report(
            path=str(self._data_dir),
            problems=self._findings.problems(),
            episodes_checked=self._episodes,
            transitions_checked=self._transitions,
            adapters_checked=tuple(check.name for check in self._adapters),
            skipped=tuple(self._skipped),
        )

    def _open(self) -> Dataset | None:
        try:
            return open_directory(self._data_dir)
        except UnsafeFile:
            raise
        except PytupliError as error:
            self._findings.add(
                "error", str(self._data_dir), "", f"the dataset cannot be opened: {error.message}"
            )
            return None

    def _positions_by_id(self) -> Mapping[str, int]:
        if self._dataset is None:
            return {}
        ids = self._dataset.fields["episode_id"].values
        return {f"episode_{number}": position for position, number in enumerate(ids.tolist())}

    def _convert(self) -> list[AdapterCheck]:
        if self._dataset is None:
            return []
        checks: list[AdapterCheck] = []
        for name in _COMPARED:
            if name not in adapter_names():
                self._skipped.append(f"{name}: its plugin is not installed")
                continue
            try:
                checks.append(AdapterCheck(name, self._dataset))
            except PytupliError as error:
                self._skipped.append(f"{name}: {error.message}")
        return checks

    def _check_index(self) -> None:
        path = self._data_dir / INDEX_NAME
        if not path.exists():
            self._findings.add("warning", INDEX_NAME, "index", "there is no index")
            return
        try:
            index = read_index(path)
        except FormatError as error:
            self._findings.add("warning", INDEX_NAME, "index", f"the index is not used: {error.problem}")
            return
        built = self._built_index()
        if built is None:
            return
        if index.data_sha256 != built.data_sha256:
            self._findings.add(
                "warning", INDEX_NAME, "index", "the index is stale: it describes another file"
            )
        elif not same_index(index, built):
            self._findings.add("error", INDEX_NAME, "index", "the index says other things than the data file")

    def _built_index(self) -> Index | None:
        try:
            return rebuild_index(self._data_dir / DATA_NAME, self._metadata)
        except UnsafeFile:
            raise
        except PytupliError:
            return None  # the data is at fault; opening it says how

    def _leaves(self, raw: RawFile, name: str) -> dict[str, Any] | None:
        try:
            leaves = raw.leaves(name)
            for path in self._frames.keys() & leaves.keys():
                leaves[path] = decode_frames(raw.path, f"{name}/{path}", leaves[path], self._frames[path])
        except UnsafeFile:
            raise
        except FormatError as error:
            self._findings.add("error", error.where or name, name, error.problem)
            return None
        return leaves

    def _check_attributes(self, raw: RawFile, name: str, leaves: Mapping[str, Any]) -> None:
        number = name.removeprefix("episode_")
        expected = {
            "id": int(number) if number.isdecimal() else number,
            "total_steps": len(leaves.get("rewards", ())),
        }
        found = raw.attributes(name, expected)
        for key, value in expected.items():
            if key not in found or not np.array_equal(found[key], value):
                self._findings.add(
                    "error", f"{name}.{key}", f"attribute {key}", "the attribute is missing or wrong"
                )

    def _compare(self, name: str, position: int, leaves: Mapping[str, Any], dataset: Dataset) -> None:
        alone = replace(dataset, positions=np.array([position], dtype=np.int64))
        compare_episode(name, leaves, alone[0].leaves(), self._findings)
        compare_transitions(name, leaves, alone.transitions(), self._findings)
        for check in self._adapters:
            check.compare(position, name, leaves, self._findings)
        self._transitions += len(leaves["rewards"])
