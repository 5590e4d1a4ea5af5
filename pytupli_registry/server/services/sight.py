"""Repositories and revisions as those see them who only read: one row, asked for in one question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, func, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.prepared import Prepared
from pytupli_registry.server.database.schema import Account, Commit, Ref, Repository
from pytupli_registry.server.services.permissions import Action, Caller, Ownership, allows
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH, ref_names, resolve, tree_of
from pytupli_registry.server.wire.names import RepoId, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["SeenRepository", "SeenRevision", "look", "look_at"]

_ROWS = Repository.__table__.c
_OWNERS = Account.__table__.c
_REFS = Ref.__table__.c
_COMMITS = Commit.__table__.c


class SeenRepository(NamedTuple):
    """What is told about a repository; the names are those of :class:`~…database.schema.Repository`."""

    id: int
    type: str
    owner_id: int
    name: str
    visibility: str
    gated: str
    created_by: int | None
    created_at: datetime
    updated_at: datetime
    downloads: int
    likes: int
    used_storage: int
    sdk: str | None
    card: dict[str, Any] | None
    description: str
    owner_name: str

    @property
    def full_name(self) -> str:
        """``namespace/name``."""
        return f"{self.owner_name}/{self.name}"


class SeenRevision(NamedTuple):
    """A commit of a repository, and its root tree."""

    repository_id: int
    commit: str
    tree: str


def _question(*columns: ColumnElement[Any]) -> Prepared:
    """Return the question for columns of a repository, and for ref, commit and tree of a revision of it.

    The revision is a branch or tag, or a whole commit id. Without a ref, the commit is the one that was asked for, or
    none.
    """
    return Prepared(
        select(*columns, _REFS.name.label("ref"), _COMMITS.oid, _COMMITS.tree_oid)
        .join_from(Repository.__table__, Account.__table__, _OWNERS.id == _ROWS.owner_id)
        .join(
            Ref.__table__,
            and_(
                _REFS.repository_id == _ROWS.id,
                _REFS.name.in_((bindparam("first_ref"), bindparam("second_ref"))),
            ),
            isouter=True,
        )
        .join(
            Commit.__table__,
            and_(
                _COMMITS.repository_id == _ROWS.id,
                _COMMITS.oid == func.coalesce(_REFS.commit_oid, bindparam("revision")),
            ),
            isouter=True,
        )
        .where(
            _ROWS.type == bindparam("type"),
            _OWNERS.name_key == bindparam("namespace"),
            _ROWS.name_key == bindparam("name"),
        )
    )


_WHOLE = _question(*(_ROWS[name] for name in SeenRepository._fields[:-1]), _OWNERS.name)
_ACCESS = _question(_ROWS.id, _ROWS.owner_id, _ROWS.visibility, _ROWS.created_by, _ROWS.gated)


def look(
    session: Session, caller: Caller, repo_id: RepoId, revision: str | None
) -> tuple[SeenRepository, SeenRevision]:
    """Return the repository and what a revision of it means, if ``caller`` may see it.

    Raises:
        Moved, RepoNotFound: as ``repositories.find``.
        RevisionNotFound: no such revision.
    """
    wanted = revision or DEFAULT_BRANCH
    row = _row(_WHOLE, session, repo_id, wanted)
    seen = None if row is None else SeenRepository(*row[:-3])
    if seen is None or not allows(
        caller, Ownership(seen.owner_id, seen.visibility, seen.created_by), Action.SEE
    ):
        find(session, caller, repo_id, Action.SEE)  # says why not
        raise AssertionError("two questions about one repository have two answers")
    return seen, _revision(session, seen.id, wanted, row)


def look_at(session: Session, caller: Caller, repo_id: RepoId, revision: str, action: Action) -> SeenRevision:
    """Return what a revision means, if ``caller`` may do ``action`` (see or read) to the repository.

    Raises:
        Moved, RepoNotFound, GatedRepo: as ``repositories.find``.
        RevisionNotFound: no such revision.
    """
    row = _row(_ACCESS, session, repo_id, revision)
    if row is not None and _may(caller, row, action):
        repository_id: int = row[0]
    else:
        repository_id = find(session, caller, repo_id, action).id  # opens the gate, or says why not
    return _revision(session, repository_id, revision, row)


def _row(question: Prepared, session: Session, repo_id: RepoId, revision: str) -> Sequence[Any] | None:
    text = revision if revision.isprintable() else ""  # `resolve` says why not
    names = ref_names(text)
    asked = {
        "type": repo_id.type.value,
        "namespace": key_of(repo_id.namespace),
        "name": key_of(repo_id.name),
        "first_ref": names[0],
        "second_ref": names[-1],
        "revision": text.lower(),
    }
    return min(question.rows(session, asked), key=lambda row: bool(row[-3] != names[0]), default=None)


def _may(caller: Caller, row: Sequence[Any], action: Action) -> bool:
    _, owner_id, visibility, created_by, gated, *_ = row
    is_open = gated == "no" or action is Action.SEE
    return is_open and allows(caller, Ownership(owner_id, visibility, created_by), action)


def _revision(session: Session, repository_id: int, revision: str, row: Sequence[Any] | None) -> SeenRevision:
    if row is not None and row[-2] is not None and row[-1] is not None:
        return SeenRevision(repository_id, row[-2], row[-1])
    commit = resolve(session, repository_id, revision)
    return SeenRevision(repository_id, commit, tree_of(session, repository_id, commit))
