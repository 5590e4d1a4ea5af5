"""A spool: complete episodes on disk, on their way into a dataset.

``<root>/.pytupli-spool/<uuid>/`` holds ``spool.json`` (what the dataset will be), one file of bytes a leaf, and
``journal``: one line of JSON an episode, written after the episode's bytes. An episode whose line is complete is
complete, whatever happened to the process then; everything behind the last complete line is ignored.
"""

from __future__ import annotations

import json
import os
from array import array
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from zlib_ng.zlib_ng import crc32

from pytupli_registry.errors import FormatError, WriteError
from pytupli_registry.storage.durable import hold_lock
from pytupli_registry.storage.forms import Form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DESCRIPTION", "Journal", "LeafRecords", "Spool", "lock_spool", "read_journal"]

DESCRIPTION = "spool.json"
_JOURNAL = "journal"
_LOCK = "lock"


@contextmanager
def lock_spool(directory: Path) -> Iterator[None]:
    """Hold the spool's lock.

    Raises:
        WriteError: another writer, alive, holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(directory / _LOCK, wait=False))
        except BlockingIOError as error:
            raise WriteError(
                f"The spool {directory.name} is in use.", hint="Finish or stop the writer that uses it."
            ) from error
        yield


@dataclass(slots=True)
class _LeafFile:
    handle: int
    size: int = 0


class Spool:
    """Appends episodes to a spool that this process has made and locked."""

    def __init__(self, directory: Path) -> None:
        """Start writing to an empty spool directory."""
        self.directory = directory
        self._journal = _LeafFile(_create(directory / _JOURNAL))
        self._files: dict[str, _LeafFile] = {}
        self._forms: dict[Form, int] = {}
        self._known: tuple[Form, ...] = ()
        self._numbers: list[int] = []
        self._targets: list[_LeafFile] = []

    def append(
        self, length: int, forms: Sequence[Form], values: Sequence[memoryview | bytes], facts: str
    ) -> None:
        """Write one episode; on return it survives the end of this process.

        Args:
            length: steps.
            forms: of the leaves the episode has.
            values: their bytes, in the same order; a memoryview is one of bytes.
            facts: its attributes as a JSON object.

        Raises:
            OSError: the disk is full. The spool is then as it was before, as it is after any interruption.
        """
        if forms is not self._known:
            self._declare(forms)
        sizes = [len(value) for value in values]
        sums = [crc32(value) if size else 0 for value, size in zip(values, sizes, strict=True)]
        line = f'{{"n":{length},"f":{self._numbers},"s":{sizes},"c":{sums},"a":{facts}}}\n'.encode()
        with self._all_or_nothing():
            for target, value, size in zip(self._targets, values, sizes, strict=True):
                if size:
                    _write(target.handle, value, size)
                    target.size += size
            _write(self._journal.handle, line, len(line))
            self._journal.size += len(line)

    def close(self) -> None:
        """Close the files."""
        for target in (self._journal, *self._files.values()):
            os.close(target.handle)
        self._files.clear()
        self._journal.handle = -1

    def _declare(self, forms: Sequence[Form]) -> None:
        new = [form for form in forms if form not in self._forms]
        lines = b""
        for number, form in enumerate(new, start=len(self._forms)):
            lines += json.dumps({"form": [number, *form.to_json()]}).encode() + b"\n"
        with self._all_or_nothing():
            for path in dict.fromkeys(form.path for form in new if form.path not in self._files):
                self._files[path] = _LeafFile(_create(self.directory / leaf_file(len(self._files))))
            _write(self._journal.handle, lines, len(lines))
            self._journal.size += len(lines)
        self._forms.update(zip(new, range(len(self._forms), len(self._forms) + len(new)), strict=True))
        self._known = tuple(forms) if not isinstance(forms, tuple) else forms
        self._numbers = [self._forms[form] for form in forms]
        self._targets = [self._files[form.path] for form in forms]

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Undo what was written if anything goes wrong, an interruption too: later episodes must not follow a torn one."""
        sizes = [(target, target.size) for target in (self._journal, *self._files.values())]
        complete = False
        try:
            yield
            complete = True
        finally:
            if not complete:
                self._rewind(sizes)

    def _rewind(self, sizes: Sequence[tuple[_LeafFile, int]]) -> None:
        for target, size in sizes:
            target.size = size
            os.ftruncate(target.handle, size)
            os.lseek(target.handle, size, os.SEEK_SET)
        # The journal numbers leaf files by the order in which it names them: one that it does not name must go.
        while len(self._files) >= len(sizes):
            _, extra = self._files.popitem()
            os.close(extra.handle)
            (self.directory / leaf_file(len(self._files))).unlink()


def leaf_file(number: int) -> str:
    """Return the name of the file of the leaf that came ``number``-th."""
    return f"leaf-{number}"


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def _write(handle: int, value: memoryview | bytes, size: int) -> None:
    written = os.write(handle, value)
    while written < size:
        written += os.write(handle, memoryview(value)[written:])


@dataclass(slots=True)
class LeafRecords:
    """What the journal says about one leaf.

    Attributes:
        file: with its bytes, episode after episode.
        episodes: that have the leaf.
        forms: of the leaf in those episodes.
        sizes: bytes of each.
        checksums: CRC-32 of each.
    """

    file: Path
    episodes: array[int] = field(default_factory=lambda: array("q"))
    forms: list[Form] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("q"))
    checksums: array[int] = field(default_factory=lambda: array("I"))
    total: int = 0


@dataclass(frozen=True, slots=True)
class Journal:
    """The complete episodes of a spool.

    Attributes:
        lengths: steps of each.  # (N,)
        leaves: by path, in the order in which they appeared.
        facts: attributes of each, as JSON gives them.
    """

    lengths: NDArray[np.int64]
    leaves: Mapping[str, LeafRecords]
    facts: Sequence[dict[str, Any]]

    def uniform(self, path: str) -> Form | None:
        """Return the form of a leaf if every episode has it in that one form."""
        records = self.leaves[path]
        if len(records.episodes) != len(self.lengths) or len(set(records.forms)) != 1:
            return None
        return records.forms[0]


def read_journal(directory: Path) -> Journal:
    """Read the complete episodes of a spool, up to the first that is torn or whose bytes are missing.

    Raises:
        FormatError: a complete line says what cannot be.
    """
    path = directory / _JOURNAL
    reader = _JournalReader(directory)
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n") or not reader.take(_parse(path, line)):
                    break
    return Journal(np.array(reader.lengths, dtype=np.int64), reader.leaves, reader.facts)


def _parse(path: Path, line: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError) as error:
        raise FormatError(path, f"a line of the journal is damaged: {line[:60]!r}") from error


class _JournalReader:
    def __init__(self, directory: Path) -> None:
        self.lengths: list[int] = []
        self.facts: list[dict[str, Any]] = []
        self.leaves: dict[str, LeafRecords] = {}
        self._directory = directory
        self._forms: list[Form] = []
        self._available: dict[str, int] = {}

    def take(self, line: dict[str, Any]) -> bool:
        """Take in a line; return False if the bytes of its episode are not there."""
        if "form" in line:
            self._declare(Form.from_json(line["form"][1:]))
            return True
        forms = [self._forms[number] for number in line["f"]]
        for form, size in zip(forms, line["s"], strict=True):
            if self.leaves[form.path].total + size > self._available[form.path]:
                return False
        position = len(self.lengths)
        for form, size, checksum in zip(forms, line["s"], line["c"], strict=True):
            records = self.leaves[form.path]
            records.episodes.append(position)
            records.forms.append(form)
            records.sizes.append(size)
            records.checksums.append(checksum)
            records.total += size
        self.lengths.append(line["n"])
        self.facts.append(line["a"])
        return True

    def _declare(self, form: Form) -> None:
        self._forms.append(form)
        if form.path not in self.leaves:
            file = self._directory / leaf_file(len(self.leaves))
            self.leaves[form.path] = LeafRecords(file)
            self._available[form.path] = file.stat().st_size if file.exists() else 0
