"""From what a client wants and has to the commits it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Commit
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.git_protocol.refs import ShownRef
from pytupli_registry.server.wire.upload_pack import FetchRequest

__all__ = ["History", "Selection", "select_commits"]


class History:
    """The commits that are reachable from a repository's refs; the only ones that git is told of.

    Args:
        parents: the (first) parent of every commit of the repository.
        trees: the root tree of each.
        tips: where refs point at.
    """

    def __init__(
        self, parents: Mapping[str, str | None], trees: Mapping[str, str], tips: Iterable[str]
    ) -> None:
        self._parents = parents
        self._trees = trees
        self._reachable = self._walk(tips, frozenset())

    @classmethod
    def load(cls, session: Session, repository_id: int, refs: Iterable[ShownRef]) -> History:
        """Read the history of a repository."""
        columns = (Commit.oid, Commit.parent_oid, Commit.tree_oid)
        rows = session.execute(select(*columns).where(Commit.repository_id == repository_id)).all()
        parents = {oid: parent for oid, parent, _ in rows}
        return cls(parents, {oid: tree for oid, _, tree in rows}, {ref.oid for ref in refs})

    def __contains__(self, oid: str) -> bool:
        return oid in self._reachable

    def parent(self, oid: str) -> str | None:
        """Return the parent of a reachable commit; None for the first."""
        return self._parents[oid]

    def tree(self, oid: str) -> str:
        """Return the root tree of a reachable commit."""
        return self._trees[oid]

    def ancestors(self, oids: Iterable[str], stop: frozenset[str] = frozenset()) -> set[str]:
        """Return the reachable ones of ``oids`` with all that came before; not what came before ``stop``."""
        return self._walk((oid for oid in oids if oid in self._reachable), stop)

    def nearest(self, oids: Iterable[str], depth: int) -> set[str]:
        """Return each of ``oids`` with the commits before it, ``depth`` of them together."""
        # All at once and step by step, so that every commit is looked at once, however many are named.
        seen: set[str] = set()
        level = set(oids)
        while level and depth:
            seen |= level
            level = {parent for oid in level if (parent := self._parents[oid]) is not None} - seen
            depth -= 1
        return seen

    def _walk(self, oids: Iterable[str], stop: frozenset[str]) -> set[str]:
        seen: set[str] = set()
        for tip in oids:
            oid: str | None = tip
            while oid is not None and oid not in seen and oid in self._parents:
                seen.add(oid)
                oid = None if oid in stop else self._parents[oid]
        return seen


@dataclass(frozen=True, slots=True)
class Selection:
    """What a client is sent.

    Attributes:
        common: those of the commits it has that are known here, in its order.
        commits: the commits to send.
        known: the commits it has.
        shallow: commits whose parents it will not have, and has to note.
        unshallow: commits whose parents it gets now.
        edges: all commits whose parents it will not have.
        enough: everything that is wanted has an ancestor among what it has.
    """

    common: list[str]
    commits: set[str]
    known: set[str]
    shallow: list[str]
    unshallow: list[str]
    edges: frozenset[str]
    enough: bool


def select_commits(history: History, request: FetchRequest) -> Selection:
    """Return which commits to send.

    Raises:
        BadRequest: a commit is wanted that no ref leads to.
    """
    for oid in request.wants:
        if oid not in history:
            raise BadRequest(f"upload-pack: not our ref {oid}")
    there = frozenset(oid for oid in request.shallow if oid in history)
    common = [oid for oid in request.haves if oid in history]
    known = history.ancestors(common, there)
    if request.depth is None:
        wanted, edges = history.ancestors(request.wants, there), there
    else:
        wanted, edges = _deepened(history, request, there, request.depth)
    return Selection(
        common=common,
        commits=wanted - known,
        known=known,
        shallow=sorted(edges - there),
        unshallow=sorted((there & wanted) - edges) if request.depth is not None else [],
        edges=edges,
        enough=bool(common) and _all_lead_to(history, request.wants, known),
    )


def _deepened(
    history: History, request: FetchRequest, there: frozenset[str], depth: int
) -> tuple[set[str], frozenset[str]]:
    """Return the commits down to a depth, and those at whose parents it ends."""
    if request.relative:
        above = history.ancestors(request.wants, there)
        below = (history.parent(oid) for oid in there & above)
        wanted = above | history.nearest((oid for oid in below if oid is not None), depth)
    else:
        wanted = history.nearest(request.wants, depth)
    ends = ((oid, history.parent(oid)) for oid in wanted)
    return wanted, frozenset(oid for oid, parent in ends if parent is not None and parent not in wanted)


def _all_lead_to(history: History, oids: Iterable[str], known: set[str]) -> bool:
    leading = set(known)
    for oid in oids:
        step: str | None = oid
        passed: list[str] = []
        while step is not None and step not in leading:
            passed.append(step)
            step = history.parent(step)
        if step is None:
            return False
        leading.update(passed)
    return True
