"""Pull requests: discussions with a branch of their own, ``refs/pr/<number>``, that wants to change another one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Commit, Discussion, DiscussionEvent, Ref, Repository
from pytupli_registry.server.errors import Conflict
from pytupli_registry.server.services.commits import commit_tree
from pytupli_registry.server.services.datasets.guard import guarded_tree
from pytupli_registry.server.services.datasets.snapshot import Snapshot
from pytupli_registry.server.services.discussions import (
    LONGEST_TITLE,
    OPEN,
    SHORTEST_TITLE,
    add_event,
    check_own_or_writer,
    find_discussion,
    start,
    tell,
)
from pytupli_registry.server.services.intake import SmallFile, keep_contents
from pytupli_registry.server.services.merging import FileChange, changed_files, conflicts, result_of
from pytupli_registry.server.services.participation import Participant
from pytupli_registry.server.services.refs import create_ref, lock_ref
from pytupli_registry.server.services.revisions import branch_ref, not_found, tree_of
from pytupli_registry.server.services.trees import change_tree
from pytupli_registry.server.wire.git import EMPTY_TREE, FILE, TreeEntry, object_id
from pytupli_registry.server.wire.minari import NAMESPACE_FILE, NAMESPACE_LIMIT, reconcile_namespaces

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.permissions import Caller

__all__ = [
    "PREFIX",
    "Proposal",
    "merge",
    "open_pull_request",
    "proposal_of",
    "record_commit",
    "ref_of",
]

PREFIX = "refs/pr/"
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a pull request would change.

    Attributes:
        base_tree: what its branch began with.
        our_tree: what the branch that it wants to change is now.
        changes: the files it changes, by path.
        conflicts: those that were changed there too, in another way.
        namespace: Minari's list of datasets as both sides would have it, if both have changed it.
    """

    base_tree: str
    our_tree: str
    changes: dict[str, FileChange]
    conflicts: list[str]
    namespace: bytes | None = None


def ref_of(number: int) -> str:
    """Return the full name of a pull request's branch."""
    return f"{PREFIX}{number}"


def open_pull_request(
    session: Session,
    hub: Hub,
    repository: Repository,
    caller: Caller,
    title: str,
    description: str,
    base_ref: str,
    *,
    draft: bool = False,
) -> int:
    """Open a pull request whose branch begins at the head of ``base_ref``, and return its number.

    Args:
        session: must write.
        hub: unused yet.
        repository: the caller's right to propose has been checked.
        caller: becomes the author.
        title: shortened if it is a long commit title.
        description: the first comment; "" for none.
        base_ref: the branch to change, ``refs/heads/main`` or ``main``.
        draft: whether it has to be published before it can be merged.

    Raises:
        RevisionNotFound: there is no such branch.
        NotAuthenticated, Forbidden: nobody is logged in, or with a token that may only read.
        BadRequest: as ``discussions.start``.
    """
    del hub
    base = branch_ref(base_ref)
    head = _head(session, repository.id, base) if base.startswith("refs/heads/") else None
    if head is None:
        raise not_found(base_ref)
    discussion = start(
        session,
        repository,
        caller,
        title if draft else _as_title(title),
        description,
        status="draft" if draft else "open",
        base=base,
        base_oid=head,
    )
    create_ref(session, repository.id, ref_of(discussion.number), head)
    return discussion.number


def _head(session: Session, repository_id: int, ref: str) -> str | None:
    return session.scalar(select(Ref.commit_oid).where(Ref.repository_id == repository_id, Ref.name == ref))


def _as_title(text: str) -> str:
    title = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(title) < SHORTEST_TITLE:
        title = f"Commit {title!r}"
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"


def record_commit(
    session: Session, repository: Repository, caller: Caller, ref: str, title: str, oid: str
) -> None:
    """Note in a pull request that a commit has reached its branch; does nothing for other refs.

    Call it in the commit's own transaction: what it raises undoes the commit.

    Raises:
        NotFound: there is no such pull request.
        Forbidden: the caller neither opened it nor may write.
        Conflict: it is closed or merged.
    """
    number = ref.removeprefix(PREFIX)
    if not ref.startswith(PREFIX) or not number.isdecimal():
        return
    discussion = find_discussion(session, repository, int(number), change=True)
    check_own_or_writer(repository, caller, discussion.author_id, "commit to this pull request")
    if discussion.status not in OPEN:
        raise Conflict(
            f"#{discussion.number} is {discussion.status}: open it again, or make another pull request."
        )
    if oid != discussion.base_oid and oid not in _recorded(session, discussion):
        add_event(session, discussion, caller, "commit", {"subject": title, "oid": oid})
        tell(session, repository, discussion, "update")


def _recorded(session: Session, discussion: Discussion) -> list[str]:
    events = session.scalars(
        select(DiscussionEvent)
        .where(
            DiscussionEvent.repository_id == discussion.repository_id,
            DiscussionEvent.number == discussion.number,
            DiscussionEvent.type == "commit",
        )
        .order_by(DiscussionEvent.position)
    )
    return [str(event.content["oid"]) for event in events]


def proposal_of(session: Session, hub: Hub, discussion: Discussion) -> Proposal:
    """Return what a pull request would change, and what stands against it.

    Nothing does once it is merged or closed, nor when the branch it wants to change is gone.
    """
    repository_id = discussion.repository_id
    base_tree = _tree(session, repository_id, discussion.base_oid)
    proposed = _tree(session, repository_id, _head(session, repository_id, ref_of(discussion.number)))
    changes = {change.path: change for change in changed_files(session, hub, base_tree, proposed)}
    head = _head(session, repository_id, discussion.base) if discussion.status in OPEN else None
    if head is None:
        return Proposal(base_tree, base_tree, changes, [])
    our_tree = _tree(session, repository_id, head)
    found = conflicts(session, hub, base_tree, our_tree, changes)
    namespace = None
    if NAMESPACE_FILE in found:
        namespace = _reconciled(Snapshot(session, hub, tree) for tree in (base_tree, our_tree, proposed))
    if namespace is not None:
        found.remove(NAMESPACE_FILE)
    return Proposal(base_tree, our_tree, changes, found, namespace)


def _reconciled(sides: Iterable[Snapshot]) -> bytes | None:
    """Return the namespace file with what both sides did; every upload of a dataset changes it."""
    base, ours, theirs = (side.read(NAMESPACE_FILE, NAMESPACE_LIMIT) for side in sides)
    return None if ours is None or theirs is None else reconcile_namespaces(base, ours, theirs)


def _tree(session: Session, repository_id: int, commit_oid: str | None) -> str:
    """Return a commit's tree; what gc has taken away, or never was, counts as empty."""
    if commit_oid is None or session.get(Commit, (repository_id, commit_oid)) is None:
        return EMPTY_TREE
    return tree_of(session, repository_id, commit_oid)


def merge(
    session: Session, hub: Hub, repository: Repository, caller: Caller, number: int, text: str = ""
) -> Discussion:
    """Make one commit of all that a pull request changes, on the branch it wants to change.

    Args:
        session: must write.
        hub: where trees are.
        repository: the caller's right to write has been checked.
        caller: becomes the commit's author.
        number: the pull request's.
        text: a comment to go with it; "" for none.

    Raises:
        NotFound: there is no such discussion.
        RevisionNotFound: the branch to change is gone.
        Conflict: it is no pull request, a draft, closed, merged, without commits, or files were changed on both
            sides.
        BadRequest: as ``commits.apply``.
    """
    # In the order in which a commit takes these locks: branch first, then the discussion.
    proposed = lock_ref(session, repository.id, ref_of(number))
    base = find_discussion(session, repository, number).base
    head = lock_ref(session, repository.id, base)
    discussion = find_discussion(session, repository, number, change=True)
    _check_mergeable(discussion, proposed)
    if head is None:
        raise not_found(base.removeprefix("refs/heads/"))
    proposal = proposal_of(session, hub, discussion)
    _check_conflicts(discussion, proposal.conflicts)
    if text.strip():
        Participant(session, repository, discussion, caller).comment(text)
    merged = change_tree(session, hub, proposal.our_tree, _entries(session, hub, repository.id, proposal))
    tree = guarded_tree(session, hub, repository, proposal.our_tree, merged)
    title = f"{discussion.title} (#{number})"
    message = _message(session, discussion, caller)
    oid = commit_tree(session, hub, repository, caller, discussion.base, head, tree, title, message)
    discussion.status, discussion.merge_oid = "merged", oid
    add_event(session, discussion, caller, "status-change", {"status": "merged"})
    tell(session, repository, discussion, "update")
    return discussion


def _entries(
    session: Session, hub: Hub, repository_id: int, proposal: Proposal
) -> dict[str, TreeEntry | None]:
    entries = result_of(proposal.changes)
    if proposal.namespace is not None:
        file = SmallFile(object_id("blob", proposal.namespace), proposal.namespace)
        keep_contents(session, hub, {NAMESPACE_FILE: file}, repository_id=repository_id, user_id=None)
        entries[NAMESPACE_FILE] = TreeEntry(FILE, file.oid)
    return entries


def _check_mergeable(discussion: Discussion, proposed: str | None) -> None:
    name = f"#{discussion.number}"
    if not discussion.is_pull_request:
        raise Conflict(f"{name} is a discussion, not a pull request.")
    if discussion.status == "draft":
        raise Conflict(f"{name} is a draft: publish it first by setting its status to 'open'.")
    if discussion.status != "open":
        raise Conflict(f"{name} is {discussion.status} already.")
    if proposed is None or proposed == discussion.base_oid:
        raise Conflict(f"{name} has no commits: there is nothing to merge.")


def _check_conflicts(discussion: Discussion, paths: list[str]) -> None:
    if paths:
        named = ", ".join(paths[:MOST_NAMED]) + (", …" if len(paths) > MOST_NAMED else "")
        raise Conflict(
            f"#{discussion.number} cannot be merged: {len(paths)} file(s) were changed in "
            f"{discussion.base.removeprefix('refs/heads/')} too: {named}. Make a new pull request, which begins with "
            "what is there now."
        )


def _message(session: Session, discussion: Discussion, caller: Caller) -> str:
    events = session.scalars(
        select(DiscussionEvent)
        .where(
            DiscussionEvent.repository_id == discussion.repository_id,
            DiscussionEvent.number == discussion.number,
            DiscussionEvent.type == "commit",
        )
        .order_by(DiscussionEvent.position)
    ).all()
    lines = [f"- {event.content['subject']} ({event.content['oid']})" for event in events]
    others = {event.author_name for event in events} - {caller.name, ""}
    trailers = [f"Co-authored-by: {name} <{name}@users.noreply>" for name in sorted(others)]
    return "\n".join([*lines, *([""] if trailers else []), *trailers])
