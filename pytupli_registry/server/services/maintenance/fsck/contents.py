"""Git's objects by themselves, and rows that need another row."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Account, Blob, GitBlob, Organization, Tree, User
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.fsck.findings import Findings
from pytupli_registry.server.services.maintenance.marks import MANY
from pytupli_registry.server.wire.git import object_id
from pytupli_registry.server.wire.lfs import Pointer

__all__ = ["check_accounts", "check_database", "check_git_blobs", "check_trees"]

MOST_PROBLEMS = 100


def check_database(hub: Hub, findings: Findings) -> None:
    """Let SQLite check its own file; PostgreSQL has its own tools."""
    if not hub.database.is_sqlite:
        return
    with hub.database.read() as session:
        for (problem,) in session.execute(text(f"PRAGMA quick_check({MOST_PROBLEMS})")):
            if problem != "ok":
                findings.damage("database", "hub.sqlite3", str(problem))
        for table, row, referred, _ in session.execute(text("PRAGMA foreign_key_check")):
            findings.damage(
                "database", f"{table} row {row}", f"refers to a row of {referred} that is missing"
            )


def check_accounts(hub: Hub, findings: Findings) -> None:
    """Check that every account is either a user or an organization."""
    with hub.database.read() as session:
        accounts = session.execute(
            select(Account.name, Account.kind, User.account_id, Organization.account_id)
            .outerjoin(User, User.account_id == Account.id)
            .outerjoin(Organization, Organization.account_id == Account.id)
        )
        for name, kind, user, organization in accounts:
            findings.checked["accounts"] += 1
            if (user is not None, organization is not None) != (kind == "user", kind == "organization"):
                findings.damage("account", name, f"is no complete {kind}")


def check_trees(hub: Hub, findings: Findings) -> None:
    """Check that trees are what their ids say."""
    last = ""
    while True:
        with hub.database.read() as session:
            query = select(Tree.oid, Tree.raw).where(Tree.oid > last).order_by(Tree.oid).limit(MANY)
            page = session.execute(query).all()
        if not page:
            return
        last = page[-1].oid
        findings.checked["trees"] += len(page)
        for row in page:
            if object_id("tree", row.raw) != row.oid:
                findings.damage("tree", row.oid, "is not what its id says")


def check_git_blobs(hub: Hub, findings: Findings) -> None:
    """Check that small files and pointers are what their ids say."""
    last = ""
    while True:
        with hub.database.read() as session:
            page = _page(session, last)
        if not page:
            return
        last = page[-1][0].oid
        findings.checked["files"] += len(page)
        for git_blob, size in page:
            _check_git_blob(findings, git_blob, size)


def _page(session: Session, last: str) -> list[tuple[GitBlob, int | None]]:
    query = (
        select(GitBlob, Blob.size).outerjoin(Blob, Blob.sha256 == GitBlob.sha256).where(GitBlob.oid > last)
    )
    return list(session.execute(query.order_by(GitBlob.oid).limit(MANY)))


def _check_git_blob(findings: Findings, git_blob: GitBlob, size: int | None) -> None:
    content = git_blob.content
    if git_blob.sha256 is not None and size != git_blob.size:
        findings.damage("git blob", git_blob.oid, f"has {git_blob.size} bytes, its blob {size}")
    if git_blob.lfs:
        content = Pointer(git_blob.sha256 or "", git_blob.size).encoded()
    elif content is not None and len(content) != git_blob.size:
        findings.damage("git blob", git_blob.oid, f"has {len(content)} bytes, not {git_blob.size}")
    if content is not None and object_id("blob", content) != git_blob.oid:
        findings.damage("git blob", git_blob.oid, "is not what its id says")
