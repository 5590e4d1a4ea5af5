"""Brings cells, or a whole file, into a mirror: planned, side by side, checked, and kept as it comes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from zlib_ng.zlib_ng import crc32

from pytupli_registry.errors import ChecksumError
from pytupli_registry.hub.ranges import RangesRefused
from pytupli_registry.hub.whole_files import keep_whole
from pytupli_registry.remote.cells import Cells, cells_of
from pytupli_registry.remote.earlier import earlier_versions, same_cells
from pytupli_registry.remote.planning import Transfer, lanes, plan_transfer, plan_whole, requests_of
from pytupli_registry.storage.intervals import Intervals
from pytupli_registry.storage.mirror import CHECKED, RECEIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.hub.ranges import RemoteBytes
    from pytupli_registry.hub.snapshots import Snapshot
    from pytupli_registry.remote.earlier import Earlier
    from pytupli_registry.storage.mirror import Mirror
    from pytupli_registry.storage.records import Index

__all__ = ["Fetcher"]

_TRIES = 3
# What is asked for before the map is written and the plan is looked at again.
_LEAST_ROUND_BYTES, _MOST_ROUND_BYTES = 1 << 22, 1 << 26
_ROUND_S = 2.0
_FIRST_REQUESTS, _ROUND_REQUESTS = 64, 512  # few, until it is known what one costs


class _Stopped(Exception):  # noqa: N818 - internal: another thread has failed
    pass


class Fetcher:
    """Fills one mirror from one file of a Hub.

    Args:
        snapshot: has the file.
        source: the file.
        mirror: what of it is here.
        index: of the file, where there is one: what earlier versions of the file have of it does not travel.
        advance: called with the bytes that came, for a progress bar.
        relative: a file of this machine that may be another version of the file.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        source: RemoteBytes,
        mirror: Mirror,
        index: Index | None = None,
        advance: Callable[[int], None] | None = None,
        relative: Path | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.source = source
        self.mirror = mirror
        self.index = index
        self.advance = advance
        self._relative = relative
        self._has_taken_over = False

    def plan(self, cells: Cells) -> Transfer:
        """Return what would travel for some cells now; nothing of the file is asked for."""
        return self._plan(self._unknown(cells))

    def _plan(self, cells: Cells) -> Transfer:
        return plan_transfer(
            cells.starts,
            cells.stops,
            self.mirror.missing,
            self.mirror.size,
            self.source.hub.pace.speed,
            self.source.ask_most_ranges(),
        )

    def plan_whole(self) -> Transfer:
        """Return what would travel for the whole file."""
        known = self._missing(self._cells)
        here = known.where(~np.isin(known.starts, self._unknown(known).starts))
        left = self.mirror.received.union(Intervals.of(here.starts, here.stops)).gaps(self.mirror.size)
        missing = Intervals.nothing() if self.mirror.is_whole else left
        return plan_whole(missing, self.mirror.size, self.source.hub.pace.speed)

    def fetch(self, cells: Cells) -> None:
        """Bring some cells here, each checked; cells that are here are not asked for.

        Raises:
            ChecksumError: a cell does not have its checksum however often it comes.
            HubError: the Hub refuses, or cannot be reached.
            WriteError: the disk is full.
        """
        tries = 0
        self._take_over(cells)
        while not self.mirror.is_whole:
            with self.mirror.filling():
                cells = self._missing(cells)
                if len(cells) == 0:
                    return
                transfer = self._plan(cells)
                if not transfer.is_whole:
                    tries = self._round(transfer, cells, tries)
            if transfer.is_whole:
                self.fetch_whole()

    def fetch_whole(self) -> None:
        """Bring the whole file here, check its SHA-256, and move it to where ``huggingface_hub`` keeps files.

        Raises:
            ChecksumError: it does not have its SHA-256 however often it comes.
            HubError: the Hub refuses, or cannot be reached.
            WriteError: the disk is full.
        """
        tries = 0
        self.take_over()
        while not self.mirror.is_whole:
            with self.mirror.filling():
                if self._is_here():
                    return
                missing = self.mirror.missing
                if len(missing):
                    self._receive(missing)
                    continue
                if self.mirror.finish(self._promote):
                    return
                tries += 1
                self.mirror.forget(self.mirror.checked.within(0, 0))
                if tries >= _TRIES - 1:
                    raise self._wrong("its SHA-256 is another one")

    def take_over(self) -> None:
        """Copy all that an earlier version of the file has of it.

        Raises:
            WriteError: the disk is full.
        """
        if not self._has_taken_over:
            self._take_over(self._cells)
            self._has_taken_over = True

    def _is_here(self) -> bool:
        """Whether another process has brought the whole file meanwhile."""
        return self.mirror.is_whole

    def _promote(self, path: Path) -> Path:
        return keep_whole(self.snapshot, self.source.file, path)

    def _missing(self, cells: Cells) -> Cells:
        if self.mirror.is_whole:
            return cells.where(np.zeros(len(cells), dtype=np.bool_))
        return cells.where(~self.mirror.checked.covers(cells.starts, cells.stops))

    def _unknown(self, cells: Cells) -> Cells:
        """Return those cells that neither the mirror nor an earlier version has."""
        cells = self._missing(cells)
        for earlier in self._earlier if len(cells) else ():
            cells = cells.where(~same_cells(earlier, cells))
        return cells

    @cached_property
    def _cells(self) -> Cells:
        """What can be checked of the whole file by itself."""
        if self.index is None:
            return Cells.none()
        positions = np.arange(len(self.index.table), dtype=np.int64)
        ranged = [path for path in self.index.checksums if self.index.leaves[path].extents is not None]
        return cells_of(self.index, dict.fromkeys(ranged, positions))

    @cached_property
    def _earlier(self) -> tuple[Earlier, ...]:
        return tuple(earlier_versions(self.snapshot, self.source.file, self._relative))

    def _take_over(self, cells: Cells) -> None:
        """Copy those cells that an earlier version has.

        Earlier versions are opened before the mirror's lock is taken: two processes might fill one from the other.
        """
        cells = self._missing(cells)
        for earlier in self._earlier if len(cells) else ():
            for part in _parts(cells, _MOST_ROUND_BYTES):
                with self.mirror.filling():
                    self._copy(earlier, part)
            cells = self._missing(cells)

    def _copy(self, earlier: Earlier, cells: Cells) -> None:
        if self.mirror.is_whole:
            return
        cells = cells.where(self.mirror.missing.covers(cells.starts, cells.stops))
        cells = cells.where(same_cells(earlier, cells))
        for start, stop in zip(cells.starts.tolist(), cells.stops.tolist(), strict=True):
            self.mirror.write(start, earlier.read(start, stop))
        good = cells.where(self._agreeing(cells))
        self.mirror.mark(Intervals.of(good.starts, good.stops), CHECKED, good.by_place())

    def _round(self, transfer: Transfer, cells: Cells, tries: int) -> int:
        """Ask for the first ranges of a plan; returns how often a cell was wrong."""
        last = min(self._round_end(cells), int(transfer.ranges.stops[: self._round_ranges()][-1]))
        cells = cells.where(cells.stops <= last)
        try:
            self._transfer(transfer.ranges.within(0, last), Intervals.of(cells.starts, cells.stops))
        except RangesRefused:
            self._receive_whole()
        right = self._agreeing(cells)
        good = cells.where(right)
        self.mirror.mark(Intervals.of(good.starts, good.stops), CHECKED, good.by_place())
        if right.all():
            return 0
        if tries + 1 >= _TRIES:
            raise self._wrong(
                f"{np.count_nonzero(~right)} of its parts have another checksum than its index names"
            )
        return tries + 1

    def _round_end(self, cells: Cells) -> int:
        """Return where the last cell of this round ends; there is always one, however large."""
        reached = np.searchsorted(np.cumsum(cells.stops - cells.starts), self._round_bytes())
        return int(cells.stops[min(int(reached), len(cells) - 1)])

    def _round_ranges(self) -> int:
        """Return how many ranges one round asks for: few, until it is known what a request costs."""
        most = self.source.ask_most_ranges()
        is_known = most > 1 or self.source.hub.pace.speed.request is not None
        return most * (_ROUND_REQUESTS if is_known else _FIRST_REQUESTS)

    def _round_bytes(self) -> int:
        bandwidth = self.source.hub.pace.speed.bandwidth
        return int(np.clip(_ROUND_S * bandwidth, _LEAST_ROUND_BYTES, _MOST_ROUND_BYTES))

    def _receive(self, missing: Intervals) -> None:
        before = np.cumsum(missing.stops - missing.starts) - (missing.stops - missing.starts)
        place = int(np.searchsorted(before, self._round_bytes())) - 1
        missing = missing.within(0, int(missing.starts[place] + self._round_bytes() - before[place]))
        try:
            self._transfer(missing, missing)
        except RangesRefused:
            self._receive_whole()
        else:
            self.mirror.mark(missing, RECEIVED)

    def _receive_whole(self) -> None:
        """Take the file in one piece, from a server that knows no ranges."""
        wanted = self.mirror.missing
        self.source.read_whole(lambda place, piece: self._take(place, piece, wanted))
        self.mirror.mark(wanted, RECEIVED)

    def _agreeing(self, cells: Cells) -> NDArray[np.bool_]:
        found = [
            crc32(self.mirror.read(start, stop)) == checksum
            for start, stop, checksum in zip(
                cells.starts.tolist(), cells.stops.tolist(), cells.checksums.tolist(), strict=True
            )
        ]
        return np.array(found, dtype=np.bool_)

    def _transfer(self, ranges: Intervals, wanted: Intervals) -> None:
        """Ask for ranges side by side; the first failure stops the others."""
        pace, stop = self.source.hub.pace, threading.Event()
        requests = requests_of(ranges, self.source.ask_most_ranges())
        began, size = time.monotonic(), ranges.total

        def take(place: int, piece: bytes | memoryview) -> None:
            if stop.is_set():
                raise _Stopped
            self._take(place, piece, wanted)

        count = min(lanes(pace.speed), len(requests))
        with ThreadPoolExecutor(count, thread_name_prefix="pytupli-ranges") as pool:
            asked = [pool.submit(self.source.read, request, take) for request in requests]
            try:
                for one in as_completed(asked):
                    one.result()
            except BaseException:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        elapsed = time.monotonic() - began
        waiting = len(requests) * pace.speed.latency / count
        pace.saw_transfer(size, max(elapsed - waiting, elapsed / 3))
        pace.saw_requests(len(requests), size, elapsed)

    def _take(self, place: int, piece: bytes | memoryview, wanted: Intervals) -> None:
        """Write what is wanted of some bytes; the rest may be on disk already, and be in use."""
        view = memoryview(piece)
        for first, last in wanted.pieces(place, place + len(piece)):
            self.mirror.write(first, view[first - place : last - place])
        if self.advance is not None:
            self.advance(len(piece))

    def _wrong(self, problem: str) -> ChecksumError:
        file = self.source.file
        return ChecksumError(
            f"{file.path} of {self.snapshot.repo} at {self.snapshot.commit:.12} does not come as it should: {problem}.",
            hint="Nothing of it was kept. Is there a proxy on the way that changes files?",
        )


def _parts(cells: Cells, size: int) -> Iterator[Cells]:
    """Cut cells, in their order, into parts of about so many bytes."""
    numbers = np.cumsum(cells.stops - cells.starts) // size
    for number in np.unique(numbers):
        yield cells.where(numbers == number)
