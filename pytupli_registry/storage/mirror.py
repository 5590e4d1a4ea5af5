"""A data file of a Hub as far as it is on this machine: same size, same offsets, filled range by range.

A mirror is a directory named after the SHA-256 of the file, so every repository and revision that has the file shares
it, and so do processes::

    data      the file, sparse; gone once it is whole (huggingface_hub's cache has it then)
    map       what of it is here: records of 32 bytes, appended
    seal      what ``data`` looked like (inode, times) when it was last filled: another look, and it is checked
    whole     where the whole file lies, once it is complete and its SHA-256 was checked
    origin    where it came from, for people
    lock      held by the one process that fills it
    use       held (shared) by everyone who reads it, so that nobody deletes it

A range is entered into the map only after its bytes are on disk, so a process may be killed at any point: what the map
says is there. Every record carries the CRC-32 of its bytes, by which damage is found: by :meth:`verify`, and whenever
the file is not as it was left.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import weakref
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from zlib_ng.zlib_ng import crc32

from pytupli_registry.errors import WriteError
from pytupli_registry.storage.columns import FileIdentity
from pytupli_registry.storage.durable import hold_lock, replacement, write_durably
from pytupli_registry.storage.intervals import Intervals
from pytupli_registry.storage.stamps import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["CHECKED", "RECEIVED", "Mirror"]

RECEIVED = 0  # came over the network; nothing says yet whether it is right
CHECKED = 1  # agrees with the checksum of the index

_RECORD = struct.Struct("<QQIII")  # start, stop, kind, CRC-32 of the bytes, CRC-32 of what stands before
_DTYPE = np.dtype([("start", "<u8"), ("stop", "<u8"), ("kind", "<u4"), ("crc", "<u4"), ("check", "<u4")])
_MAX_SMALL = 1 << 16
_READ_BYTES = 1 << 22


class Mirror:
    """One mirror, open for reading and filling; it is not deleted while it is.

    Args:
        directory: of the mirror; made if it is missing.
        sha256: of the whole file.
        size: its bytes.

    Raises:
        WriteError: the cache cannot be written.
    """

    def __init__(self, directory: Path, sha256: str, size: int) -> None:
        self.directory = directory
        self.sha256 = sha256
        self.size = size
        self._known: dict[int, Intervals] = {}
        self._journal: tuple[int, int] = (0, 0)  # inode of the map, and how far it was read
        self._is_whole = False
        self._dropped = Intervals.nothing()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._in_use()
            with hold_lock(directory / "lock", wait=True):
                self._open()
        except OSError as error:
            raise _cannot_write(directory, error) from error

    def _in_use(self) -> None:
        handle = os.open(self.directory / "use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_SH)
        os.utime(handle)

    def _open(self) -> None:
        whole = self._find_whole()
        self._is_whole = whole is not None
        self.path = whole or self.directory / "data"
        if whole is None and not (_has_size(self.path, self.size) and (self.directory / "map").is_file()):
            self._start_anew()
        handle = os.open(self.path, (os.O_RDONLY if whole else os.O_RDWR) | os.O_CLOEXEC)
        weakref.finalize(self, os.close, handle)
        self._handle = handle
        self._read_map()
        if whole is None:
            self._drop_what_changed()

    def _start_anew(self) -> None:
        with replacement(self.directory / "map"):
            pass
        with replacement(self.path) as file:
            file.truncate(self.size)

    # What is there.

    @property
    def is_whole(self) -> bool:
        """Whether every byte is here, and the SHA-256 was checked."""
        return self._is_whole

    @property
    def checked(self) -> Intervals:
        """What agrees with the checksums of the index, or with the SHA-256 of the whole."""
        return Intervals.nothing().gaps(self.size) if self._is_whole else self._known[CHECKED]

    @property
    def received(self) -> Intervals:
        """Everything that is here, checked or not."""
        return self._known[CHECKED].union(self._known[RECEIVED])

    @property
    def missing(self) -> Intervals:
        """What is not here at all."""
        return Intervals.nothing() if self._is_whole else self.received.gaps(self.size)

    def refresh(self) -> None:
        """Take notice of what other processes have filled meanwhile.

        Raises:
            WriteError: the cache cannot be read any more.
        """
        if self._is_whole:
            return
        try:
            moved = self.directory.joinpath("data").stat().st_ino != os.fstat(self._handle).st_ino
        except FileNotFoundError:
            moved = True
        except OSError as error:
            raise _cannot_write(self.directory, error) from error
        if moved:  # only a file that is whole is moved while it is in use; what we have open is that file
            self._is_whole = True
            self.path = self._find_whole() or self.path
            return
        self._read_map()

    def _read_map(self) -> None:
        place = self.directory / "map"
        try:
            with place.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                before = self._journal[1] if self._journal[0] == inode else 0
                file.seek(before)
                found = _records(file.read())
        except FileNotFoundError:
            inode, before, found = 0, 0, np.zeros(0, _DTYPE)
        if before == 0:
            self._known = {kind: _intervals(found[:0]) for kind in (RECEIVED, CHECKED)}
        for kind, known in self._known.items():
            fresh = found[(found["kind"] == kind) & (found["stop"] <= self.size)]
            if len(fresh):
                self._known[kind] = known.union(_intervals(fresh))
        self._journal = inode, before + len(found) * _RECORD.size

    # Filling it.

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Be the only one who fills it, knowing all that the others have filled."""
        with hold_lock(self.directory / "lock", wait=True):
            self.refresh()
            self._drop_what_changed()
            try:
                yield
            finally:
                self._seal()

    def _drop_what_changed(self) -> None:
        """Check everything that the map lists if somebody else has written to the file, or was killed while filling it."""
        if self._is_whole or self._is_sealed():
            return
        try:
            self._drop_damaged()
        except OSError as error:
            raise _cannot_write(self.directory, error) from error
        self._seal()

    def _is_sealed(self) -> bool:
        try:
            place = self.directory / "seal"
            said = json.loads(place.read_bytes()) if place.stat().st_size <= _MAX_SMALL else None
        except (OSError, ValueError, RecursionError):
            return False
        return bool(said == asdict(FileIdentity.of(self._handle)))

    def _seal(self) -> None:
        if self._is_whole:
            return
        with (
            suppress(OSError),
            replacement(self.directory / "seal") as file,
        ):  # without it, all is checked again
            file.write(json.dumps(asdict(FileIdentity.of(self._handle))).encode())

    def write(self, place: int, content: bytes | memoryview) -> None:
        """Write bytes that the map does not list; call :meth:`mark` when a range is complete.

        Raises:
            WriteError: the disk is full.
        """
        view = memoryview(content)
        try:
            while view:
                written = os.pwrite(self._handle, view, place)
                view, place = view[written:], place + written
        except OSError as error:
            raise _cannot_write(self.directory, error) from error

    def read(self, start: int, stop: int) -> bytes:
        """Return bytes as they are here; those that the map does not list mean nothing."""
        return os.pread(self._handle, stop - start, start)

    def mark(
        self, found: Intervals, kind: int, checksums: Mapping[tuple[int, int], int] | None = None
    ) -> None:
        """Enter ranges into the map; their bytes are on disk before.

        Args:
            found: the ranges.
            kind: :data:`RECEIVED` or :data:`CHECKED`.
            checksums: CRC-32 of those ranges, by start and stop, whose bytes need not be read for it again.

        Raises:
            WriteError: the disk is full; the map is as it was.
        """
        if len(found) == 0:
            return
        known = checksums or {}
        lines = b"".join(
            _line(*place, kind, known[place] if place in known else self._crc(*place))
            for place in zip(found.starts.tolist(), found.stops.tolist(), strict=True)
        )
        place = self.directory / "map"
        try:
            os.fdatasync(self._handle)
            with place.open("r+b") as file:
                file.truncate(self._journal[1])  # what a killed process left there half-written
                file.seek(self._journal[1])
                file.write(lines)
                file.flush()
                os.fdatasync(file.fileno())
        except OSError as error:
            raise _cannot_write(self.directory, error) from error
        self._known[kind] = self._known[kind].union(found)
        self._journal = self._journal[0], self._journal[1] + len(lines)

    def forget(self, kept: Intervals) -> None:
        """Strike from the map what is not in ``kept``; its bytes are asked for again when they are needed."""
        place = self.directory / "map"
        records = _records(place.read_bytes())
        starts, stops = records["start"].astype(np.int64), records["stop"].astype(np.int64)
        with replacement(place) as file:
            file.write(records[kept.covers(starts, stops)].tobytes())
            file.flush()
            os.fsync(file.fileno())
        self._journal = (0, 0)
        self._read_map()

    def finish(self, promote: Callable[[Path], Path]) -> bool:
        """Check the SHA-256 of the file, which must be here as a whole, and give it its last place.

        Args:
            promote: moves the file to where it stays, and returns the place.

        Returns:
            Whether the file is right; if not, the map is as it was.

        Raises:
            WriteError: the file cannot be moved.
        """
        os.fsync(self._handle)
        if self._sha256() != self.sha256:
            return False
        try:
            self.keep_whole(promote(self.path))
            (self.directory / "map").unlink(missing_ok=True)
        except OSError as error:
            raise _cannot_write(self.directory, error) from error
        self._is_whole = True
        return True

    def keep_whole(self, path: Path) -> None:
        """Remember where the whole file lies: its SHA-256 must have been checked."""
        said = {"path": str(path), **asdict(FileIdentity.of(path))}
        write_durably(self.directory / "whole", json.dumps(said))
        self.path = path

    def describe(self, origin: Mapping[str, Any]) -> None:
        """Remember where the file came from, for people."""
        place, said = self.directory / "origin", json.dumps({**origin, "size": self.size})
        try:
            if not place.is_file() or place.read_text(encoding="utf-8") != said:
                with replacement(place) as file:
                    file.write(said.encode())
        except (OSError, ValueError):  # a note only
            return

    # Is it right?

    def verify(self) -> Intervals:
        """Compare what is here with its checksums, strike what is damaged from the map, and return that.

        What was found damaged when the mirror was opened, or since, is part of it.

        Raises:
            WriteError: the cache cannot be written.
        """
        if self._is_whole:
            right = self._sha256() == self.sha256
            if not right:
                (self.directory / "whole").unlink(missing_ok=True)
            return Intervals.nothing() if right else Intervals.nothing().gaps(self.size)
        try:
            with hold_lock(self.directory / "lock", wait=True):
                self.refresh()
                if not self._is_whole:
                    self._drop_damaged()
                self._seal()
        except OSError as error:
            raise _cannot_write(self.directory, error) from error
        return self._dropped

    def _drop_damaged(self) -> None:
        records = _records((self.directory / "map").read_bytes())
        bad = np.array([not self._agrees(record) for record in records.tolist()], dtype=np.bool_)
        damaged = _intervals(records[bad])
        if len(damaged):
            self._strike(records[~bad])
            self._dropped = self._dropped.union(damaged)

    def _strike(self, good: NDArray[Any]) -> None:
        with replacement(self.directory / "map") as file:
            file.write(good.tobytes())
        self._journal = (0, 0)
        self._read_map()

    def _agrees(self, record: tuple[int, int, int, int, int]) -> bool:
        start, stop, _, crc, _ = record
        return stop <= self.size and self._crc(start, stop) == crc

    def _crc(self, start: int, stop: int) -> int:
        crc = 0
        for place in range(start, stop, _READ_BYTES):
            crc = crc32(self.read(place, min(place + _READ_BYTES, stop)), crc)
        return crc

    def _sha256(self) -> str:
        digest, buffer = hashlib.sha256(), bytearray(_READ_BYTES)
        for place in range(
            0, self.size, _READ_BYTES
        ):  # not mapped, which would count as this process's memory
            count = os.preadv(self._handle, [buffer], place)
            digest.update(memoryview(buffer)[: min(count, self.size - place)])
        return digest.hexdigest()

    def _find_whole(self) -> Path | None:
        """Return the whole file, if it still is what was checked."""
        try:
            place = self.directory / "whole"
            if place.stat().st_size > _MAX_SMALL:
                return None
            said = json.loads(place.read_bytes())
            path = Path(said.pop("path"))
            now = asdict(FileIdentity.of(path))
            if said == now:
                return path
            if now["size"] != self.size or sha256_of(path) != self.sha256:
                return None
            self.keep_whole(path)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return path


def _records(content: bytes) -> NDArray[Any]:
    """Return the records up to the first that was not written to its end."""
    whole = len(content) // _RECORD.size * _RECORD.size
    for place in range(0, whole, _RECORD.size):
        start, stop, _, _, check = _RECORD.unpack_from(content, place)
        if crc32(content[place : place + _RECORD.size - 4]) != check or start >= stop:
            whole = place
            break
    return np.frombuffer(content, dtype=_DTYPE, count=whole // _RECORD.size)


def _line(start: int, stop: int, kind: int, crc: int) -> bytes:
    before = _RECORD.pack(start, stop, kind, crc, 0)[:-4]
    return before + struct.pack("<I", crc32(before))


def _intervals(records: NDArray[Any]) -> Intervals:
    return Intervals.of(records["start"].astype(np.int64), records["stop"].astype(np.int64))


def _has_size(path: Path, size: int) -> bool:
    try:
        return FileIdentity.of(path).size == size
    except OSError:
        return False


def _cannot_write(directory: Path, error: OSError) -> WriteError:
    return WriteError(
        f"The cache at {directory} cannot be used: {error.strerror or error}.",
        hint="Is the disk full? `pytupli cache prune` makes room; PYTUPLI_CACHE_PATH names another place.",
    )
