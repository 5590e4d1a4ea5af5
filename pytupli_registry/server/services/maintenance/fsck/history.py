"""One repository: its refs, commits, everything they reach, and what it owns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Blob, Commit, Discussion, Ref, Repository, RepositoryBlob
from pytupli_registry.server.services.maintenance.closure import BLOBS, Closure
from pytupli_registry.server.services.maintenance.fsck.findings import Findings
from pytupli_registry.server.services.maintenance.marks import MANY, Marks
from pytupli_registry.server.services.maintenance.reachability import reachable_commits
from pytupli_registry.server.wire.git import object_id

__all__ = ["check_repository"]

_HEADER = re.compile(rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)")


def check_repository(session: Session, marks: Marks, findings: Findings, repository: Repository) -> None:
    """Check one repository, in one state of the database."""
    name = f"{repository.type}s/{repository.full_name}"
    findings.checked["repositories"] += 1
    _check_refs(session, findings, repository.id, name)
    closure = Closure(
        session, marks, lambda kind, oid: findings.damage(kind, oid, f"is missing or damaged, of {name}")
    )
    closure.clear()
    # What only unreachable commits have may have been taken from the repository already.
    for page in _pages(session, repository.id, Commit.oid.in_(reachable_commits(repository.id))):
        closure.add(commit.tree_oid for commit in page)
    _check_belongings(session, marks, findings, repository.id, name)
    for page in _pages(session, repository.id):
        findings.checked["commits"] += len(page)
        for commit in page:
            _check_commit(findings, name, commit)
        _check_parents(session, findings, repository.id, name, page)
        closure.add(commit.tree_oid for commit in page)
    _check_storage(session, findings, repository, name)


def _check_refs(session: Session, findings: Findings, repository_id: int, name: str) -> None:
    refs = session.execute(
        select(Ref.name, Ref.commit_oid, Commit.oid)
        .outerjoin(Commit, (Commit.repository_id == Ref.repository_id) & (Commit.oid == Ref.commit_oid))
        .where(Ref.repository_id == repository_id)
    ).all()
    findings.checked["refs"] += len(refs)
    if "refs/heads/main" not in {ref.name for ref in refs}:
        findings.damage("repository", name, "has no branch main")
    for ref in refs:
        if ref.oid is None:
            findings.damage(
                "ref", f"{name} {ref.name}", f"points at the commit {ref.commit_oid}, which is missing"
            )
    for column in (Discussion.base_oid, Discussion.merge_oid):
        there = select(Commit.oid).where(Commit.repository_id == repository_id)
        lost = select(Discussion.number, column).where(
            Discussion.repository_id == repository_id, column.is_not(None), column.not_in(there)
        )
        for number, oid in session.execute(lost):
            findings.damage("discussion", f"{name} #{number}", f"names the commit {oid}, which is missing")


def _pages(
    session: Session, repository_id: int, *conditions: ColumnElement[bool]
) -> Iterator[Sequence[Commit]]:
    last = ""
    query = select(Commit).where(Commit.repository_id == repository_id, *conditions)
    query = query.order_by(Commit.oid).limit(MANY)
    while page := session.scalars(query.where(Commit.oid > last)).all():
        yield page
        last = page[-1].oid


def _check_commit(findings: Findings, name: str, row: Commit) -> None:
    said = _HEADER.match(row.raw)
    if object_id("commit", row.raw) != row.oid or said is None:
        findings.damage("commit", f"{name} {row.oid}", "is not what its id says")
    elif (said[1].decode(), said[2][7:47].decode() or None) != (row.tree_oid, row.parent_oid):
        findings.damage("commit", f"{name} {row.oid}", "has another tree or parent than its row says")


def _check_parents(
    session: Session, findings: Findings, repository_id: int, name: str, page: Sequence[Commit]
) -> None:
    parents = {row.parent_oid: row.oid for row in page if row.parent_oid is not None}
    there = select(Commit.oid).where(Commit.repository_id == repository_id, Commit.oid.in_(parents))
    for oid in parents.keys() - set(session.scalars(there)):
        findings.damage("commit", f"{name} {parents[oid]}", f"has the parent {oid}, which is missing")


def _check_belongings(
    session: Session, marks: Marks, findings: Findings, repository_id: int, name: str
) -> None:
    for page in marks.pages(BLOBS):
        owned = select(RepositoryBlob.sha256).where(
            RepositoryBlob.repository_id == repository_id, RepositoryBlob.sha256.in_(page)
        )
        for sha256 in set(page) - set(session.scalars(owned)):
            findings.damage("blob", sha256, f"is in commits of {name}, but does not belong to it")


def _check_storage(session: Session, findings: Findings, repository: Repository, name: str) -> None:
    used = session.scalar(
        select(func.sum(Blob.size))
        .join(RepositoryBlob, RepositoryBlob.sha256 == Blob.sha256)
        .where(RepositoryBlob.repository_id == repository.id)
    )
    if int(used or 0) != repository.used_storage:
        findings.damage(
            "repository", name, f"has blobs of {int(used or 0)} bytes, but says {repository.used_storage}"
        )
