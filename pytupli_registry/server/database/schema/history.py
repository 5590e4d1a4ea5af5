"""Git's objects, and the names of commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pytupli_registry.server.database.schema.base import GIT_ID, NAME, Base, now

__all__ = ["Commit", "GitBlob", "Ref", "Tree"]


class Ref(Base):
    """A branch, a tag or a pull request's head: ``refs/heads/…``, ``refs/tags/…``, ``refs/pr/N``."""

    __tablename__ = "refs"
    __table_args__ = (
        # Checked at the end of the transaction: deleting a repository deletes both, in whatever order.
        ForeignKeyConstraint(
            ["repository_id", "commit_oid"],
            ["commits.repository_id", "commits.oid"],
            name="fk_refs_commit",
            deferrable=True,
            initially="DEFERRED",
        ),
    )

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    commit_oid: Mapped[str] = mapped_column(GIT_ID)
    message: Mapped[str] = mapped_column(Text, default="")
    updated_at: Mapped[datetime] = mapped_column(default=now)


class Commit(Base):
    """A git commit of one repository. The same commit in another repository is another row: ids give no access."""

    __tablename__ = "commits"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    oid: Mapped[str] = mapped_column(GIT_ID, primary_key=True)
    tree_oid: Mapped[str] = mapped_column(GIT_ID)
    parent_oid: Mapped[str | None] = mapped_column(GIT_ID)
    """First parent; further parents stand in ``raw`` only (merges of pull requests are squashed, so none)."""
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text, default="")
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    author_name: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[datetime] = mapped_column(default=now)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    """The commit object as git hashes it, without git's header."""
    orphaned_at: Mapped[datetime | None]
    """When gc first found it unreachable; making it reachable again clears this."""


class Tree(Base):
    """A git tree object, shared by all repositories; reachable only through a commit."""

    __tablename__ = "trees"

    oid: Mapped[str] = mapped_column(GIT_ID, primary_key=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    touched_at: Mapped[datetime] = mapped_column(default=now)


class GitBlob(Base):
    """A git blob object: a regular file, or the pointer that stands for a large one.

    Exactly one of these holds the bytes of the *file*: ``content`` (small regular files), or the object
    store's blob ``sha256`` (large regular files, and every LFS file).
    """

    __tablename__ = "git_blobs"
    __table_args__ = (
        CheckConstraint("(content IS NULL) <> (sha256 IS NULL)", name="one_place"),
        CheckConstraint("NOT lfs OR sha256 IS NOT NULL", name="lfs_is_stored"),
        CheckConstraint("size >= 0", name="size"),
    )

    oid: Mapped[str] = mapped_column(GIT_ID, primary_key=True)
    size: Mapped[int]
    """Bytes of the file (not of the pointer)."""
    lfs: Mapped[bool]
    sha256: Mapped[str | None] = mapped_column(ForeignKey("blobs.sha256", ondelete="RESTRICT"), index=True)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    touched_at: Mapped[datetime] = mapped_column(default=now)
