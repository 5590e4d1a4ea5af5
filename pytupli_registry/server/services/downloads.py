"""From a path in a revision to the bytes that are to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.prepared import Prepared
from pytupli_registry.server.database.schema import Account, Commit, Ref, Repository
from pytupli_registry.server.errors import EntryNotFound
from pytupli_registry.server.services.files import File, file_of
from pytupli_registry.server.services.permissions import Action, Caller, Ownership, allows
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.revisions import ref_names, resolve, tree_of
from pytupli_registry.server.services.trees import entry_at
from pytupli_registry.server.wire.names import RepoId, key_of

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["Download", "Wanted", "find_download"]

_REPOSITORIES = Repository.__table__
_ACCOUNTS = Account.__table__
_REFS = Ref.__table__
_COMMITS = Commit.__table__

# Repository, revision and tree in one question. The revision is a branch or tag, or a whole commit id.
_REVISION = Prepared(
    select(
        _REPOSITORIES.c.id,
        _REPOSITORIES.c.owner_id,
        _REPOSITORIES.c.visibility,
        _REPOSITORIES.c.created_by,
        _REPOSITORIES.c.gated,
        _REFS.c.name.label("ref"),
        _COMMITS.c.oid,
        _COMMITS.c.tree_oid,
    )
    .join_from(_REPOSITORIES, _ACCOUNTS, _ACCOUNTS.c.id == _REPOSITORIES.c.owner_id)
    .join(
        _REFS,
        and_(
            _REFS.c.repository_id == _REPOSITORIES.c.id,
            _REFS.c.name.in_((bindparam("first_ref"), bindparam("second_ref"))),
        ),
        isouter=True,
    )
    .join(
        _COMMITS,
        and_(
            _COMMITS.c.repository_id == _REPOSITORIES.c.id,
            _COMMITS.c.oid == func.coalesce(_REFS.c.commit_oid, bindparam("revision")),
        ),
        isouter=True,
    )
    .where(
        _ACCOUNTS.c.name_key == bindparam("namespace"),
        _REPOSITORIES.c.type == bindparam("type"),
        _REPOSITORIES.c.name_key == bindparam("name"),
    )
)


class _Row(NamedTuple):
    """A row of :data:`_REVISION`; without a ref, the commit is the one that was asked for, or none."""

    id: int
    owner_id: int
    visibility: str
    created_by: int | None
    gated: str
    ref: str | None
    oid: str | None
    tree_oid: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that somebody asks for."""

    repo_id: RepoId
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file at a commit, which the caller may read."""

    file: File
    commit: str
    repository_id: int
    caller: Caller


def find_download(session: Session, hub: Hub, caller: Caller, wanted: Wanted) -> Download:
    """Return the file that is wanted.

    Raises:
        Moved, RepoNotFound, GatedRepo: as ``repositories.find``.
        RevisionNotFound: no such revision.
        EntryNotFound: no such file; it carries the commit, so that clients can remember the absence.
    """
    repository_id, commit, tree = _revision_of(session, caller, wanted)
    entry = entry_at(session, hub, tree, wanted.path)
    if entry is None or entry.is_directory:
        message = f"{wanted.path[:300]!r} does not exist on {wanted.revision[:100]!r}."
        raise EntryNotFound(message, headers={"X-Repo-Commit": commit})
    return Download(file_of(session, hub, entry.oid), commit, repository_id, caller)


def _revision_of(session: Session, caller: Caller, wanted: Wanted) -> tuple[int, str, str]:
    """Return the repository, the commit and its tree, if ``caller`` may read files there."""
    revision = wanted.revision if wanted.revision.isprintable() else ""  # `resolve` says why not
    names = ref_names(revision)
    asked = {
        "type": wanted.repo_id.type.value,
        "namespace": key_of(wanted.repo_id.namespace),
        "name": key_of(wanted.repo_id.name),
        "first_ref": names[0],
        "second_ref": names[-1],
        "revision": revision.lower(),
    }
    rows = [_Row(*row) for row in _REVISION.rows(session, asked)]
    row = min(rows, key=lambda one: one.ref != names[0]) if rows else None
    if row is not None and _may_read(caller, row):
        repository_id = row.id
    else:
        repository_id = find(
            session, caller, wanted.repo_id, Action.READ
        ).id  # opens the gate, or says why not
    if row is not None and row.oid is not None and row.tree_oid is not None:
        return repository_id, row.oid, row.tree_oid
    commit = resolve(session, repository_id, wanted.revision)
    return repository_id, commit, tree_of(session, repository_id, commit)


def _may_read(caller: Caller, row: _Row) -> bool:
    ownership = Ownership(row.owner_id, row.visibility, row.created_by)
    return row.gated == "no" and allows(caller, ownership, Action.READ)
