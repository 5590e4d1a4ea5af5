"""Where the bytes of a xorb's chunks are: in the xorb itself, in blobs, or nowhere any more."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

from pytupli_registry.server.services.blobs import blob_key

__all__ = ["ChunkMap", "Place", "Run", "packed_lengths"]


@dataclass(frozen=True, slots=True)
class Run:
    """Chunks that follow each other in a blob.

    Attributes:
        first: index of the first chunk in the xorb.
        end: index behind the last one.
        sha256: the blob.
        offset: where the first one begins in the blob.
    """

    first: int
    end: int
    sha256: str
    offset: int


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes of chunks that follow each other in one stored object.

    Attributes:
        first: index of the first chunk.
        end: index behind the last one.
        key: the object's name; None when the chunks are missing.
        start: where they begin in the object.
        length: their bytes.
        in_xorb: whether the object is the xorb, so that the chunks wait for a blob.
    """

    first: int
    end: int
    key: str | None
    start: int
    length: int
    in_xorb: bool


def packed_lengths(lengths: Sequence[int]) -> bytes:
    """Return chunk lengths as the database keeps them: four bytes each, little-endian."""
    return _little_endian(array("I", lengths)).tobytes()


def _little_endian(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


class ChunkMap:
    """The chunks of one xorb, and where each can be read.

    Args:
        lengths: as from :func:`packed_lengths`.
        runs: where chunks lie in blobs; those that the user may read. Of two for one chunk the later counts.
        xorb: name of the xorb's own object, None when its bytes are gone.
    """

    def __init__(self, lengths: bytes, runs: Iterable[Run], xorb: str | None) -> None:
        numbers = array("I")
        numbers.frombytes(lengths)
        self._offsets = array("I", accumulate(_little_endian(numbers), initial=0))
        self._runs = self._joined(runs)
        self._firsts = [run.first for run in self._runs]
        self._xorb = xorb

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return len(self._offsets) - 1

    @property
    def runs(self) -> list[Run]:
        """Where chunks lie in blobs: in order, joined, each chunk once."""
        return self._runs

    @property
    def is_covered(self) -> bool:
        """Whether every chunk lies in a blob, so that the xorb's own bytes are not needed."""
        return sum(run.end - run.first for run in self._runs) == self.count

    def length(self, first: int, end: int) -> int:
        """Return the bytes of some chunks."""
        return self._offsets[end] - self._offsets[first]

    def places(self, first: int, end: int) -> Iterator[Place]:
        """Give where some chunks are, in order."""
        while first < end:
            place = self._place(first, end)
            yield place
            first = place.end

    def _place(self, first: int, end: int) -> Place:
        index = bisect_right(self._firsts, first) - 1
        run = self._runs[index] if index >= 0 else None
        if run is not None and first < run.end:
            end = min(end, run.end)
            start = run.offset + self.length(run.first, first)
            return Place(first, end, blob_key(run.sha256), start, self.length(first, end), in_xorb=False)
        if index + 1 < len(self._runs):
            end = min(end, self._firsts[index + 1])
        in_xorb = self._xorb is not None
        return Place(first, end, self._xorb, self._offsets[first], self.length(first, end), in_xorb=in_xorb)

    def _joined(self, runs: Iterable[Run]) -> list[Run]:
        # Which run counts for each chunk; -1 is none.
        chosen = array("i", [-1]) * self.count
        candidates = list(runs)
        for index, run in enumerate(candidates):
            chosen[run.first : run.end] = array("i", [index]) * (run.end - run.first)
        joined: list[Run] = []
        for index, chunks in groupby(range(self.count), key=chosen.__getitem__):
            if index >= 0:
                part = self._part(candidates[index], list(chunks))
                if joined and self._follows(joined[-1], part):
                    part = replace(joined.pop(), end=part.end)
                joined.append(part)
        return joined

    def _part(self, run: Run, chunks: list[int]) -> Run:
        offset = run.offset + self.length(run.first, chunks[0])
        return Run(chunks[0], chunks[-1] + 1, run.sha256, offset)

    def _follows(self, before: Run, after: Run) -> bool:
        return (
            before.sha256 == after.sha256
            and before.end == after.first
            and before.offset + self.length(before.first, before.end) == after.offset
        )
