"""Bytes of one file at one commit: asked for by range, and for what is missing again until all of it has come."""

from __future__ import annotations

import re
import threading
import time
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
from pytupli_registry.hub.pacing import RETRIED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytupli_registry.hub.snapshots import Hub, RemoteFile

    Take = Callable[[int, bytes], None]

__all__ = ["RangesRefused", "RemoteBytes"]

ATTEMPTS = 7
MAX_REDIRECTS = 6
# Slower than this over so long, a connection is given up: somebody keeps it open without sending.
_SLOWEST = 1 << 10
_PATIENCE_S = 30.0
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_EXPIRED = frozenset({400, 401, 403, 404, 410})


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

    def read(self, start: int, stop: int, take: Take) -> None:
        """Read a range; ``take`` is called with the place and the bytes of each piece, in order.

        A connection that is lost is taken up again where it was; what was taken is not asked for again.

        Raises:
            RangesRefused: the server answers with the whole file instead; nothing was taken.
            NotCached: offline.
            HubUnreachable: nothing came after several attempts.
            HubError: the Hub refuses.
            ChecksumError: what the server sends is another version of the file.
        """
        place, attempt = start, 0
        self._refuse_offline()
        while place < stop:
            self.hub.pace.wait()
            before = place
            try:
                for piece in self._pieces(place, stop):
                    take(place, piece)
                    place += len(piece)
            except _Again as again:
                attempt = 0 if place > before else attempt + 1
                self._pause(attempt, again)

    def read_whole(self, take: Take) -> None:
        """Read the file from its beginning without asking for ranges, which some servers refuse.

        Raises:
            HubError: as for :meth:`read`.
        """
        self._refuse_offline()
        for attempt in range(1, ATTEMPTS + 1):
            place = 0
            self.hub.pace.wait()
            try:
                for piece in self._pieces(0, self.file.size, by_range=False):
                    take(place, piece)
                    place += len(piece)
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

    def _pieces(self, start: int, stop: int, *, by_range: bool = True) -> Iterator[bytes]:
        """Yield the bytes of one answer; raises _Again where they end too soon."""
        try:
            yield from self._answered(start, stop, by_range=by_range)
        except OfflineModeIsEnabled as error:
            raise NotCached(f"{self.file.path} of {self.repo}") from error
        except FAILURES as error:
            self._forget_location()
            raise _Again(f"the connection is lost ({type(error).__name__}: {error!s:.160})") from error

    def _answered(self, start: int, stop: int, *, by_range: bool) -> Iterator[bytes]:
        known = self._signed
        url, redirects, began = known or self.url, 0, time.monotonic()
        while True:
            with stream("GET", url, self._headers(url, start, stop, by_range=by_range)) as answer:
                target = redirect_target(url, answer)
                if target is None:
                    self.hub.pace.saw_latency(time.monotonic() - began)
                    if url == known and answer.status in _EXPIRED:
                        self._forget_location()
                        raise _Again(f"the place it was sent to answers {answer.status}", answer)
                    self._check(url, answer, start, stop, by_range=by_range)
                    self._remember(url)
                    yield from self._body(answer, stop - start)
                    return
            redirects += 1
            if redirects > MAX_REDIRECTS:
                raise HubError(
                    f"{self.hub.endpoint} sends the client from place to place for {self.file.path}."
                )
            url, began = target, time.monotonic()

    def _headers(self, url: str, start: int, stop: int, *, by_range: bool) -> dict[str, str]:
        headers = dict(self.hub.headers) if origin_of(url) == origin_of(self.hub.endpoint) else {}
        if by_range and (start, stop) != (0, 0):
            headers["Range"] = f"bytes={start}-{stop - 1}"
            tag = self._tags.get(origin_of(url)[1])
            if tag is not None:
                headers["If-Range"] = tag
        return headers

    def _check(self, url: str, answer: Answer, start: int, stop: int, *, by_range: bool) -> None:
        if answer.status in RETRIED:
            raise _Again(f"the server answers {answer.status}", answer)
        if answer.status >= 300:
            self._refuse(answer)
        self._check_version(url, answer)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise HubError(f"{self.hub.endpoint} sends {self.file.path} in an encoding nobody asked for.")
        if answer.status == 206:
            self._check_range(answer, start, stop)
        elif by_range and (start, stop) != (0, self.file.size):
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

    def _body(self, answer: Answer, expected: int) -> Iterator[bytes]:
        began, came = time.monotonic(), 0
        for piece in answer.pieces():
            came += len(piece)
            if came > expected:
                raise _Again("more came than was asked for", answer)
            yield piece
            waited = time.monotonic() - began
            if waited > _PATIENCE_S and came < _SLOWEST * waited:
                raise _Again(f"{came} bytes came in {waited:.0f} seconds")
        if came < expected:
            raise _Again(f"the connection ended after {came} of {expected} bytes")

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
