"""What git asks when it clones or fetches (git-scm.com/docs/gitprotocol-pack, gitprotocol-v2), versions 0 to 2.

Over HTTP every request tells everything anew: what is wanted, and what the client has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.wire.names import COMMIT_ID
from pytupli_registry.server.wire.pktline import Mark, packets

__all__ = ["AGENT", "CAPABILITIES", "V2_CAPABILITIES", "FetchRequest", "RefsRequest", "parse_v0", "parse_v2"]

AGENT = "agent=pytupli-server"
CAPABILITIES = (
    "multi_ack_detailed no-done side-band-64k shallow deepen-relative no-progress ofs-delta "
    f"allow-tip-sha1-in-want allow-reachable-sha1-in-want object-format=sha1 {AGENT}"
)
V2_CAPABILITIES = ("version 2", AGENT, "ls-refs", "fetch=shallow", "object-format=sha1")
DEPTH = re.compile("[0-9]{1,10}")
INFINITE = 0x7FFFFFFF
MOST_WANTS = 10_000
MOST_PREFIXES = 1000


@dataclass(slots=True)
class FetchRequest:
    """Which commits are wanted, and which are there.

    Attributes:
        wants: commits that the client asks for.
        haves: commits that it says it has.
        shallow: those of its commits whose parents it does not have.
        depth: how many commits deep the history shall be, None for all.
        relative: count ``depth`` from the ``shallow`` ones.
        done: the client wants the pack now.
        capabilities: what a client of version 0 understands.
    """

    wants: list[str] = field(default_factory=list)
    haves: list[str] = field(default_factory=list)
    shallow: list[str] = field(default_factory=list)
    depth: int | None = None
    relative: bool = False
    done: bool = False
    capabilities: frozenset[str] = frozenset()

    def take(self, line: str) -> bool:
        """Take in one line; False if it is of another kind.

        Raises:
            BadRequest: it makes no sense, or asks for something that was not offered.
        """
        word, _, rest = line.partition(" ")
        match word:
            case "want":
                self.wants.append(_oid(rest))
            case "have":
                self.haves.append(_oid(rest))
            case "shallow":
                self.shallow.append(_oid(rest))
            case "deepen":
                self.depth = _depth(rest)
            case "deepen-since" | "deepen-not" | "filter" | "want-ref":
                raise BadRequest(f"This Hub does not understand {word!r}. Use --depth, or fetch everything.")
            case "deepen-relative":
                self.relative = True
            case "done":
                self.done = True
            case _:
                return False
        return True


@dataclass(frozen=True, slots=True)
class RefsRequest:
    """Which refs are listed: those that begin with one of ``prefixes``, or all."""

    prefixes: tuple[str, ...]
    symrefs: bool


def parse_v0(body: bytes) -> FetchRequest:
    """Return what a request of version 0 or 1 says.

    Raises:
        BadRequest: it cannot be understood.
    """
    request = FetchRequest()
    for line in _lines(body):
        if line.startswith("want ") and not request.wants:
            line, _, capabilities = line.partition(" ")[2].partition(" ")  # noqa: PLW2901 - the first line has more
            request.capabilities = frozenset(capabilities.split())
            request.relative = "deepen-relative" in request.capabilities
            request.wants.append(_oid(line))
        elif not request.take(line):
            raise BadRequest(f"Unexpected line {line[:80]!r}.")
    return _checked(request)


def parse_v2(body: bytes) -> FetchRequest | RefsRequest:
    """Return what a request of version 2 says.

    Raises:
        BadRequest: it cannot be understood.
    """
    lines = list(_lines(body))
    command = next((line for line in lines if line.startswith("command=")), "")
    if "object-format=sha256" in lines:
        raise BadRequest("This Hub names objects by SHA-1.")
    match command:
        case "command=ls-refs":
            return _refs_request(lines)
        case "command=fetch":
            request = FetchRequest()
            for line in lines:
                request.take(line)
            return _checked(request)
        case _:
            raise BadRequest(f"Unknown command {command[:80]!r}.")


def _refs_request(lines: list[str]) -> RefsRequest:
    prefixes = [line.removeprefix("ref-prefix ") for line in lines if line.startswith("ref-prefix ")]
    if len(prefixes) > MOST_PREFIXES:
        prefixes = [""]  # as git does: too many are as good as none
    return RefsRequest(tuple(prefixes), "symrefs" in lines)


def _checked(request: FetchRequest) -> FetchRequest:
    if not request.wants or len(request.wants) > MOST_WANTS:
        raise BadRequest(f"A fetch wants 1 to {MOST_WANTS} commits.")
    return request


def _lines(body: bytes) -> Iterator[str]:
    for line in packets(body):
        if not isinstance(line, Mark):
            yield line.decode("utf-8", "replace")


def _oid(text: str) -> str:
    if not COMMIT_ID.fullmatch(text):
        raise BadRequest(f"{text[:80]!r} is not the id of a commit.")
    return text


def _depth(text: str) -> int:
    if not DEPTH.fullmatch(text) or not 0 < int(text) <= INFINITE:
        raise BadRequest(f"{text[:40]!r} is no depth.")
    return int(text)
