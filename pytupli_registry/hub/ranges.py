"""Bytes of one file at one commit: asked for by ranges, and for what is missing again until all of it has come."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytupli_registry.errors import ChecksumError, FileNotInRepository, HubError, HubUnreachable, NotCached
from pytupli_registry.hub.http import (
    FAILURES,
    Answer,
    OfflineModeIsEnabled,
    origin_of,
    redirect_target,
    stream,
)
from pytupli_registry.hub.multipart import MOST_HEAD, BadParts, boundary_of, parts_of
from pytupli_registry.hub.pacing import RETRIED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytupli_registry.hub.snapshots import Hub, RemoteFile

    Bytes = bytes | memoryview
    Take = Callable[[int, Bytes], None]
    Origin = tuple[str, str, int]
    Ranges = Sequence[tuple[int, int]]  # first byte, and one past the last, of each

__all__ = ["RangesRefused", "RemoteBytes"]

ATTEMPTS = 7
MAX_REDIRECTS = 6
# Slower than this over so long, a connection is given up: somebody keeps it open without sending.
_SLOWEST = 1 << 10
_PATIENCE_S = 30.0
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_EXPIRED = frozenset({400, 401, 403, 404, 410})
_TOO_MUCH = frozenset({400, 413, 416, 431, 494, 501})  # what servers answer that do not like several ranges


class RangesRefused(Exception):  # noqa: N818 - it is caught here and in remote/, never shown
    """The server sends whole files only."""


class _Again(Exception):  # noqa: N818 - internal
    """An answer that is worth another attempt."""

    def __init__(self, problem: str, answer: Answer | None = None) -> None:
        super().__init__(problem)
        self.answer = answer


class RemoteBytes:
    """A file of a repository at a commit.

    What came is not checked against its hash here, for that takes all of it: the caller does. Lengths, ranges and
    versions are checked, so that bytes of another file are noticed as early as possible. Threads may share one.

    Args:
        hub: has the repository, and the token.
        repo: name of the repository.
        commit: its commit, in full.
        file: the file.
    """

    def __init__(self, hub: Hub, repo: str, commit: str, file: RemoteFile) -> None:
        self.hub = hub
        self.repo = repo
        self.commit = commit
        self.file = file
        self.url = f"{hub.endpoint}/datasets/{repo}/resolve/{commit}/{quote(file.path)}"
        self._lock = threading.Lock()
        self._signed: str | None = None  # where the last answer sent us, good until it expires
        self._tags: dict[str, str] = {}
        self._has_asked = False

    @property
    def most_ranges(self) -> int | None:
        """How many ranges one request may name; None until the server has told."""
        return self.hub.pace.most_ranges(self._origin())

    def ask_most_ranges(self) -> int:
        """Return how many ranges one request may name; the server is asked once, if it has answered nothing yet."""
        if self.most_ranges is None and not self._has_asked and not self.hub.is_offline:
            self._has_asked = True
            with suppress(*FAILURES), stream("HEAD", self.url, self.hub.headers) as answer:
                if answer.status < 400:
                    self.hub.pace.saw_most_ranges(self._origin(), answer.headers.get("x-max-ranges", ""))
        return self.most_ranges or 1

    def read(self, ranges: Ranges, take: Take) -> None:
        """Read ranges, several in one request where the server offers that.

        A connection that is lost is taken up again where it was; what was taken is not asked for again.

        Args:
            ranges: first byte, and one past the last, of each; in order, and apart from each other.
            take: called with the place and the bytes of each piece, in order.

        Raises:
            RangesRefused: the server answers with the whole file instead; nothing was taken.
            NotCached: offline.
            HubUnreachable: nothing came after several attempts.
            HubError: the Hub refuses.
            ChecksumError: what the server sends is another version of the file.
        """
        left, attempt = deque(ranges), 0
        self._refuse_offline()
        while left:
            self.hub.pace.wait()
            before = left[0]
            try:
                for place, piece in self._pieces(list(islice(left, self.most_ranges or 1))):
                    take(place, piece)
                    _strike(left, place + len(piece))
            except _Again as again:
                if left:
                    attempt = 0 if left[0] != before else attempt + 1
                    self._pause(attempt, again)

    def read_whole(self, take: Take) -> None:
        """Read the file from its beginning without asking for ranges, which some servers refuse.

        Raises:
            HubError: as for :meth:`read`.
        """
        self._refuse_offline()
        for attempt in range(1, ATTEMPTS + 1):
            self.hub.pace.wait()
            try:
                for place, piece in self._pieces([(0, self.file.size)], by_range=False):
                    take(place, piece)
            except _Again as again:
                self._pause(attempt, again)
            else:
                return

    def _refuse_offline(self) -> None:
        if self.hub.is_offline:
            raise NotCached(f"what is needed of {self.file.path} of {self.repo} at {self.commit:.12}")

    def _pause(self, attempt: int, again: _Again) -> None:
        if attempt >= ATTEMPTS:
            status = None if again.answer is None else again.answer.status
            raise HubUnreachable(
                f"{self.file.path} of {self.repo} does not come from {self.hub.endpoint}: {again}.",
                status=status,
                hint="Try again later: what has come is kept.",
            ) from again
        self.hub.pace.back_off(attempt, None if again.answer is None else again.answer.headers)

    def _pieces(self, ranges: Ranges, *, by_range: bool = True) -> Iterator[tuple[int, Bytes]]:
        """Yield the bytes of one answer and their places; raises _Again where they end too soon."""
        try:
            yield from self._answered(ranges, by_range=by_range)
        except OfflineModeIsEnabled as error:
            raise NotCached(f"{self.file.path} of {self.repo}") from error
        except FAILURES as error:
            self._forget_location()
            raise _Again(f"the connection is lost ({type(error).__name__}: {error!s:.160})") from error

    def _answered(self, ranges: Ranges, *, by_range: bool) -> Iterator[tuple[int, Bytes]]:
        known, asked = self._signed, self._origin()
        url, redirects, began = known or self.url, 0, time.monotonic()
        while True:
            with stream("GET", url, self._headers(url, ranges, by_range=by_range)) as answer:
                target = redirect_target(url, answer)
                if target is None:
                    self.hub.pace.saw_latency(time.monotonic() - began)
                    if url == known and answer.status in _EXPIRED:
                        self._forget_location()
                        raise _Again(f"the place it was sent to answers {answer.status}", answer)
                    self._check(url, answer, ranges, by_range=by_range)
                    self._remember(url)
                    if len(ranges) == 1:
                        yield from self._body(answer, *ranges[0])
                    else:
                        yield from self._parts(answer, ranges, asked)
                    return
            redirects += 1
            if redirects > MAX_REDIRECTS:
                raise HubError(
                    f"{self.hub.endpoint} sends the client from place to place for {self.file.path}."
                )
            url, began = target, time.monotonic()

    def _headers(self, url: str, ranges: Ranges, *, by_range: bool) -> dict[str, str]:
        headers = dict(self.hub.headers) if origin_of(url) == origin_of(self.hub.endpoint) else {}
        if by_range and ranges[0] != (0, 0):
            headers["Range"] = "bytes=" + ",".join(f"{start}-{stop - 1}" for start, stop in ranges)
            tag = self._tags.get(origin_of(url)[1])
            if tag is not None:
                headers["If-Range"] = tag
        return headers

    def _check(self, url: str, answer: Answer, ranges: Ranges, *, by_range: bool) -> None:
        if answer.status in RETRIED:
            raise _Again(f"the server answers {answer.status}", answer)
        if answer.status in _TOO_MUCH and len(ranges) > 1:
            return
        if answer.status >= 300:
            self._refuse(answer)
        self._check_version(url, answer)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise HubError(f"{self.hub.endpoint} sends {self.file.path} in an encoding nobody asked for.")
        if len(ranges) > 1:
            return  # its parts tell
        self.hub.pace.saw_most_ranges(origin_of(url), answer.headers.get("x-max-ranges", ""))
        if answer.status == 206:
            self._check_range(answer, *ranges[0])
        elif by_range and ranges[0] != (0, self.file.size):
            raise RangesRefused(self.file.path)
        elif int(answer.headers.get("content-length") or self.file.size) != self.file.size:
            raise self._other_version("its length is another one")

    def _check_range(self, answer: Answer, start: int, stop: int) -> None:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
        if found is None or (int(found[1]), int(found[2])) != (start, stop - 1):
            raise _Again(f"bytes {start}-{stop - 1} were asked for, and others came", answer)
        if found[3] not in {"*", str(self.file.size)}:
            raise self._other_version(f"it has {found[3]} bytes")

    def _check_version(self, url: str, answer: Answer) -> None:
        commit = answer.headers.get("x-repo-commit")
        if commit is not None and commit != self.commit:
            raise self._other_version(f"it is of commit {commit:.40}")
        tag = answer.headers.get("etag")
        if tag is None or tag.startswith("W/"):
            return
        if self._tags.setdefault(origin_of(url)[1], tag) != tag:
            raise self._other_version("it was replaced while it was read")

    def _parts(self, answer: Answer, ranges: Ranges, asked: Origin) -> Iterator[tuple[int, Bytes]]:
        """Yield the bytes of several ranges; if others come, this server is asked for one at a time from now on."""
        most = sum(stop - start for start, stop in ranges) + len(ranges) * MOST_HEAD
        try:
            boundary = boundary_of(answer.status, answer.headers)
            yield from parts_of(self._received(answer, most), boundary, ranges, self.file.size)
        except BadParts as bad:
            self.hub.pace.ask_for_one_range(asked)
            raise _Again(f"several ranges were asked for, and {bad}") from bad

    def _body(self, answer: Answer, start: int, stop: int) -> Iterator[tuple[int, Bytes]]:
        place = start
        for piece in self._received(answer, stop - start):
            yield place, piece
            place += len(piece)
        if place < stop:
            raise _Again(f"the connection ended after {place - start} of {stop - start} bytes")

    def _received(self, answer: Answer, most: int) -> Iterator[bytes]:
        began, came = time.monotonic(), 0
        for piece in answer.pieces():
            came += len(piece)
            if came > most:
                raise _Again("more came than was asked for", answer)
            yield piece
            waited = time.monotonic() - began
            if waited > _PATIENCE_S and came < _SLOWEST * waited:
                raise _Again(f"{came} bytes came in {waited:.0f} seconds")

    def _origin(self) -> Origin:
        return origin_of(self._signed or self.url)

    def _remember(self, url: str) -> None:
        if url != self.url:
            with self._lock:
                self._signed = url

    def _forget_location(self) -> None:
        """Ask the Hub again next time."""
        with self._lock:
            self._signed = None

    def _refuse(self, answer: Answer) -> None:
        said = answer.headers.get("x-error-message") or f"the answer is {answer.status}"
        if answer.status == 404:
            raise FileNotInRepository(self.repo, self.commit, self.file.path)
        raise HubError(
            f"{self.hub.endpoint} does not give {self.file.path} of {self.repo}: {said:.300}",
            status=answer.status,
            hint="May you read it? Log in: pytupli login" if answer.status in {401, 403} else None,
        )

    def _other_version(self, problem: str) -> ChecksumError:
        return ChecksumError(
            f"What {self.hub.endpoint} sends as {self.file.path} of {self.repo} at {self.commit:.12} is another "
            f"file: {problem}.",
            hint="Was the repository changed? Load it again.",
        )


def _strike(left: deque[tuple[int, int]], reached: int) -> None:
    """Take away what lies before a place."""
    _, stop = left.popleft()
    if reached < stop:
        left.appendleft((reached, stop))
