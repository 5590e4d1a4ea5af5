"""Branches and tags; a ref moves only if it still points at what was read."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Commit, Ref, Repository, now
from pytupli_registry.server.errors import BadRequest, Conflict, RevisionNotFound, StaleParent
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH, resolve
from pytupli_registry.server.wire.names import COMMIT_ID, check_ref_name

__all__ = [
    "create_branch",
    "create_ref",
    "create_tag",
    "delete_branch",
    "delete_tag",
    "list_refs",
    "lock_ref",
    "move_ref",
]


def list_refs(session: Session, repository_id: int) -> list[Ref]:
    """Return all refs of a repository, by name."""
    return list(session.scalars(select(Ref).where(Ref.repository_id == repository_id).order_by(Ref.name)))


def lock_ref(session: Session, repository_id: int, name: str) -> str | None:
    """Return what a ref points at, and keep others from moving it until this transaction ends."""
    return session.scalar(
        select(Ref.commit_oid).where(Ref.repository_id == repository_id, Ref.name == name).with_for_update()
    )


def move_ref(session: Session, repository_id: int, name: str, expected_oid: str, new_oid: str) -> None:
    """Point a ref at another commit.

    Raises:
        StaleParent: it does not point at ``expected_oid`` any more.
    """
    moved = session.scalars(
        update(Ref)
        .where(Ref.repository_id == repository_id, Ref.name == name, Ref.commit_oid == expected_oid)
        .values(commit_oid=new_oid, updated_at=now())
        .returning(Ref.name)
    ).all()
    if not moved:
        raise StaleParent


def create_ref(session: Session, repository_id: int, name: str, oid: str, message: str = "") -> None:
    """Create a ref.

    Raises:
        Conflict: there is one of that name.
        RevisionNotFound: the commit is gone.
    """
    # gc holds the repository's row while it removes commits: wait for it, then look whether this one is left.
    session.execute(
        select(Repository.id).where(Repository.id == repository_id).with_for_update(read=True, key_share=True)
    )
    commit = session.get(Commit, (repository_id, oid), populate_existing=True)
    if commit is None:
        raise RevisionNotFound(f"Invalid rev id: {oid}")
    if commit.orphaned_at is not None:
        # A commit that gc has found unreachable becomes reachable again, and with it all before it: gc starts anew
        # here. (Were only these unmarked, their next marks would be younger than those of their parents.)
        marked = update(Commit).where(Commit.repository_id == repository_id, Commit.orphaned_at.is_not(None))
        session.execute(marked.values(orphaned_at=None))
    if session.get(Ref, (repository_id, name)) is not None:
        raise Conflict(f"Reference {name} already exists")
    session.add(Ref(repository_id=repository_id, name=name, commit_oid=oid, message=message))
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"Reference {name} already exists") from error


def create_branch(session: Session, repository_id: int, branch: str, starting_point: str | None) -> None:
    """Create a branch at a revision (default: the head of ``main``).

    Raises:
        BadRequest: no name for a branch.
        RevisionNotFound: no such starting point.
        Conflict: the branch exists.
    """
    if COMMIT_ID.fullmatch(branch):
        raise BadRequest(f"Invalid reference for a branch: {branch} would be taken for a commit.")
    name = f"refs/heads/{check_ref_name(branch)}"
    create_ref(session, repository_id, name, resolve(session, repository_id, starting_point))


def create_tag(session: Session, repository_id: int, tag: str, revision: str | None, message: str) -> None:
    """Create a tag at a revision.

    Raises:
        BadRequest: no name for a tag.
        RevisionNotFound: no such revision.
        Conflict: the tag exists.
    """
    oid = resolve(session, repository_id, revision)  # first: clients tell a wrong revision from a wrong name
    create_ref(session, repository_id, f"refs/tags/{check_ref_name(tag)}", oid, message)


def delete_branch(session: Session, repository_id: int, branch: str) -> None:
    """Delete a branch.

    Raises:
        BadRequest: ``main`` stays.
        RevisionNotFound: no such branch.
    """
    if branch in (DEFAULT_BRANCH, f"refs/heads/{DEFAULT_BRANCH}"):
        raise BadRequest(f"Cannot delete refs/heads/{DEFAULT_BRANCH}")
    _delete(session, repository_id, f"refs/heads/{branch}", branch)


def delete_tag(session: Session, repository_id: int, tag: str) -> None:
    """Delete a tag.

    Raises:
        RevisionNotFound: no such tag.
    """
    _delete(session, repository_id, f"refs/tags/{tag}", tag)


def _delete(session: Session, repository_id: int, name: str, shown: str) -> None:
    deleted = session.scalars(
        delete(Ref).where(Ref.repository_id == repository_id, Ref.name == name).returning(Ref.name)
    ).all()
    if not deleted:
        raise RevisionNotFound(f"Invalid rev id: {shown[:100]}")
