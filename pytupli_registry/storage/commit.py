"""From a finished spool to a dataset: built aside, then moved into place so that a crash loses nothing.

``next/`` in the spool gets the new files; when they are complete and on disk, a file ``commit`` says so. From then
on the change is rolled forward, now or by whoever recovers the spool; before, nothing outside the spool is touched.
A reader of the store sees the old data file or the new one, each replaced in one step, and the index says by size
and hash which of them it describes.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.config import ClientConfig
from pytupli_registry.dataset.table import FIXED_FIELDS
from pytupli_registry.errors import DatasetExists, FormatError, PytupliError, WriteError
from pytupli_registry.references import Reference
from pytupli_registry.storage.columns import MappedColumns
from pytupli_registry.storage.data_file import DataFile, extend, write
from pytupli_registry.storage.durable import sync, write_durably
from pytupli_registry.storage.extents import leaf_starts
from pytupli_registry.storage.facts import fact_columns, from_journal
from pytupli_registry.storage.index import Index, build_index, write_index
from pytupli_registry.storage.namespaces import check_new_id, make_namespaces
from pytupli_registry.storage.spool import DESCRIPTION, Journal, lock_spool, read_journal
from pytupli_registry.storage.stamps import Stamps, sha256_of
from pytupli_registry.storage.target import (
    Base,
    Target,
    commit_lock,
    data_identity,
    dataset_directory,
    spool_root,
)
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

__all__ = ["Unfinished", "discard", "finish", "recover", "unfinished"]

_NEXT = "next"
_MARKER = "commit"
_DONE = ".done-"
_ORDER = (DATA_NAME, INDEX_NAME, METADATA_NAME)  # the index is stale, and known to be, until its turn comes


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A spool whose episodes are in no dataset yet.

    Attributes:
        spool: its directory.
        dataset_id: of the dataset it will become or append to.
        episodes: complete ones.
        live: whether a writer is at work on it.
    """

    spool: Path
    dataset_id: str
    episodes: int
    live: bool


def unfinished(root: Path) -> list[Unfinished]:
    """Return the spools of a store; what is damaged beyond recognition is left out."""
    found = []
    for spool in sorted(spool_root(root).glob("*/")):
        if spool.name.startswith(_DONE):
            continue
        try:
            target, episodes = Target.load(spool), len(read_journal(spool).lengths)
            live = _is_live(spool)
        except (FormatError, FileNotFoundError):  # the latter where its writer finishes just now
            continue
        found.append(Unfinished(spool, target.metadata.dataset_id, episodes, live))
    return found


def _is_live(spool: Path) -> bool:
    try:
        with lock_spool(spool):
            return False
    except WriteError:
        return True


def recover(spool: Path, cache: Path | None = None, dataset_id: str | None = None) -> Path:
    """Finish what a writer could not: return the data directory with the spool's complete episodes.

    An append is made to the dataset as it is now.

    Args:
        spool: its directory.
        cache: where verification stamps are kept; None asks the environment.
        dataset_id: make a new dataset of this id instead, as where the intended one exists by now.

    Raises:
        WriteError: a writer is at work on the spool, it holds no complete episode, or the disk is full.
        DatasetExists: there is a dataset of its id by now.
        InvalidReference: ``dataset_id`` is none for a new dataset.
        FormatError: the directory is no spool, or a file is damaged.
    """
    _check_exists(spool)
    with lock_spool(spool):
        if dataset_id is not None:
            _rename(spool, Reference.parse_dataset(dataset_id).dataset_id)
        return finish(spool, cache, rebase=True)


def _rename(spool: Path, dataset_id: str) -> None:
    """Let a spool become a new dataset of another id."""
    target = Target.load(spool)
    if (spool / _MARKER).exists() and not (spool / _NEXT / DATA_NAME).exists():
        raise WriteError(
            f"The episodes are in {target.metadata.dataset_id!r} already.",
            hint=f"`pytupli recover {spool.name}` finishes that.",
        )
    check_new_id(spool.parent.parent, dataset_id)
    (spool / _MARKER).unlink(missing_ok=True)
    Target(replace(target.metadata, dataset_id=dataset_id), None).save(spool)


def discard(spool: Path) -> None:
    """Delete a spool and its episodes.

    Raises:
        WriteError: a writer is at work on it.
        FormatError: the directory is no spool.
    """
    _check_exists(spool)
    with lock_spool(spool):
        _remove(spool)


def _remove(spool: Path) -> None:
    """Remove a spool: renamed first, so that what a crash leaves of it is never recovered a second time."""
    done = spool.with_name(_DONE + spool.name)
    spool.rename(done)
    shutil.rmtree(done, ignore_errors=True)


def _sweep(directory: Path) -> None:
    """Remove what crashes have left: spools that are done, and old ones that were never begun."""
    yesterday = time.time() - 86_400
    for spool in directory.glob("*/"):
        try:
            begun = (spool / DESCRIPTION).exists() or spool.stat().st_mtime > yesterday
        except FileNotFoundError:  # somebody discards it just now
            continue
        if spool.name.startswith(_DONE) or not begun:
            shutil.rmtree(spool, ignore_errors=True)


def _check_exists(spool: Path) -> None:
    if not (spool / DESCRIPTION).is_file():  # a mistyped path must not be taken for one, and deleted
        raise FormatError(spool, "there is no such spool", hint="`pytupli recover` lists those there are.")


def finish(spool: Path, cache: Path | None = None, *, rebase: bool = False) -> Path:
    """Build the dataset of a spool whose lock the caller holds, and move it into place.

    Args:
        spool: its directory.
        cache: where verification stamps are kept; None asks the environment.
        rebase: append to the dataset as it is now, even if it changed since the spool was started.

    Raises:
        DatasetExists: there is a dataset of its id by now.
        WriteError: no complete episode, the dataset to append to changed, the disk is full. The spool stays.
    """
    cache = ClientConfig.from_environment().cache_path if cache is None else cache
    change = _Change(spool, Target.load(spool), cache)
    try:
        with commit_lock(spool.parent.parent):
            if rebase and change.is_outdated():
                change.drop()
        if not change.marker.exists():
            change.build(rebase=rebase)
        with commit_lock(spool.parent.parent):
            return change.roll_forward()
    except DatasetExists as error:
        error.add_note(
            f"The episodes are kept: `pytupli recover {spool.name} --as NEW-ID` makes another dataset."
        )
        raise
    except OSError as error:
        raise WriteError(
            f"{change.dataset_id!r} could not be written: {error}.",
            hint=f"Every episode is kept in the spool {spool.name}: make room, then `pytupli recover {spool.name}`.",
        ) from error


class _Change:
    """The change that a spool makes to a store."""

    def __init__(self, spool: Path, target: Target, cache: Path) -> None:
        self.dataset_id = target.metadata.dataset_id
        self.marker = spool / _MARKER
        self._spool = spool
        self._next = spool / _NEXT
        self._target = target
        self._root = spool.parent.parent
        self._directory = dataset_directory(self._root, self.dataset_id)
        self._cache = cache
        self._built = False

    def drop(self) -> None:
        """Forget what was built; the episodes stay."""
        self.marker.unlink(missing_ok=True)
        shutil.rmtree(self._next, ignore_errors=True)

    def is_outdated(self) -> bool:
        """Whether it was built to extend a data file that is no longer the dataset's, and not yet begun to move."""
        if not self.marker.exists() or not (self._next / DATA_NAME).exists():
            return False
        base = json.loads(self.marker.read_bytes())["base"]
        return base is not None and tuple(base) != data_identity(self._directory)

    def build(self, *, rebase: bool) -> None:
        """Build the new files beside the spool and declare them complete."""
        self._check_absent()
        journal = read_journal(self._spool)
        if len(journal.lengths) == 0:
            raise WriteError(
                f"No complete episode was added to {self.dataset_id!r}.",
                hint=f"`pytupli recover --discard {self._spool.name}` removes the empty spool.",
            )
        shutil.rmtree(self._next, ignore_errors=True)
        self._next.mkdir()
        complete = False
        try:
            base = self._build_files(journal, rebase=rebase)
            complete = True
        finally:
            if not complete:
                shutil.rmtree(self._next, ignore_errors=True)
        for name in _ORDER:
            sync(self._next / name)
        sync(self._next)
        size = (self._next / DATA_NAME).stat().st_size
        write_durably(self.marker, json.dumps({"base": base, "size": size, "sha256": self._sha256}))
        sync(self._spool)
        self._built = True

    def _build_files(self, journal: Journal, *, rebase: bool) -> tuple[int, ...] | None:
        data_path = self._next / DATA_NAME
        if self._target.base is None:
            base, metadata = None, self._target.metadata
            index, first = _new(data_path, journal), 0
        else:
            found = Base.of(self._root, self.dataset_id, self._cache)
            if found.identity != self._target.base and (self._target.rewrite or not rebase):
                raise self._changed()
            base, metadata = found.identity, found.metadata
            if self._target.rewrite:
                index, first = _new(data_path, journal), 0
            else:
                index, first = _extend(found, data_path, journal), len(found.index.table)
        _verify(index, journal, first)
        write_index(index, self._next / INDEX_NAME)
        self._sha256 = index.data_sha256
        metadata = metadata.with_counts(len(index.table), index.table.step_count)
        sizes = data_path.stat().st_size + (self._next / INDEX_NAME).stat().st_size
        metadata = replace(metadata, extra={**metadata.extra, "dataset_size": round(sizes / 1e6, 1)})
        (self._next / METADATA_NAME).write_text(metadata.to_json(), encoding="utf-8")
        return base

    def roll_forward(self) -> Path:
        """Move the new files into place; what a crashed predecessor moved already is left as it is."""
        said = json.loads(self.marker.read_bytes())
        if said["base"] is None:
            self._appear()
        else:
            self._replace(said)
        if self._is_in_place(said):
            Stamps(self._cache).record(
                self._directory / DATA_NAME, self._directory / INDEX_NAME, said["sha256"]
            )
        _remove(self._spool)
        _sweep(self._spool.parent)
        return self._directory

    def _appear(self) -> None:
        if not self._next.exists():
            return
        self._check_absent()
        make_namespaces(self._root, self.dataset_id)
        self._next.rename(self._directory)
        sync(self._directory.parent)

    def _replace(self, said: dict[str, Any]) -> None:
        if (self._next / DATA_NAME).exists() and self.is_outdated():
            self.drop()
            raise self._changed()
        for name in _ORDER:
            source = self._next / name
            if source.exists():
                if name != DATA_NAME and not self._is_in_place(said):
                    return  # somebody has changed the data since: these describe it no longer
                source.replace(self._directory / name)
                sync(self._directory)

    def _is_in_place(self, said: dict[str, Any]) -> bool:
        """Whether the dataset's data file is the one that was built; what a predecessor moved may be long replaced."""
        data_path = self._directory / DATA_NAME
        if not data_path.is_file() or data_path.stat().st_size != said["size"]:
            return False
        return self._built or sha256_of(data_path) == said["sha256"]

    def _check_absent(self) -> None:
        if self._target.base is None and self._directory.exists():
            raise DatasetExists(self.dataset_id)

    def _changed(self) -> PytupliError:
        if self._target.rewrite:
            return WriteError(f"{self.dataset_id!r} has changed while it was rewritten.", hint="Try again.")
        return WriteError(
            f"{self.dataset_id!r} has changed since the append to it began.",
            hint=f"`pytupli recover {self._spool.name}` appends the episodes to the dataset as it is now.",
        )


def _facts(journal: Journal) -> dict[str, list[Any]]:
    return fact_columns([from_journal(facts) for facts in journal.facts])


def _new(data_path: Path, journal: Journal) -> Index:
    return _index(data_path, write(data_path, journal), journal.lengths, _facts(journal))


def _extend(base: Base, data_path: Path, journal: Journal) -> Index:
    """Copy the data file of a dataset and add the episodes of a spool to the copy."""
    shutil.copyfile(base.directory / DATA_NAME, data_path)
    table, count = base.index.table, len(base.index.table)
    rows = {
        path: int(leaf_starts(table.lengths, stored.leaf.extra_row)[-1])
        for path, stored in base.index.leaves.items()
    }
    made = extend(data_path, journal, count, base.index.leaves, rows)
    facts: dict[str, list[Any]] = {}
    for name, field in table.fields.items():
        if name not in FIXED_FIELDS:
            missing = np.zeros(count, dtype=np.bool_) if field.missing is None else field.missing
            facts[name] = [
                None if absent else value
                for value, absent in zip(field.values.tolist(), missing.tolist(), strict=True)
            ]
    added = _facts(journal)
    both = {
        name: facts.get(name, [None] * count) + added.get(name, [None] * len(journal.lengths))
        for name in {**facts, **added}
    }
    return _index(data_path, made, np.concatenate([table.lengths, journal.lengths]), both)


def _index(
    data_path: Path, made: DataFile, lengths: np.ndarray[Any, np.dtype[np.int64]], facts: dict[str, list[Any]]
) -> Index:
    columns = MappedColumns(data_path, made.leaves, lengths)
    return build_index(data_path, lengths, made.leaves, facts, made.sha256, read_rows=columns.read_rows)


def _verify(index: Index, journal: Journal, first: int) -> None:
    """Check that the bytes that arrived in the file are those that were added.

    Raises:
        WriteError: they are not.
    """
    for path, sums in index.checksums.items():
        records = journal.leaves.get(path)
        if records is not None and not np.array_equal(
            sums[first:], np.asarray(records.checksums, dtype=np.uint32)
        ):
            raise WriteError(
                f"The values of {path} changed on their way into the file; the disk may be failing."
            )
