"""Repositories, their names, and who may read or likes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pytupli_registry.server.database.schema.accounts import Account
from pytupli_registry.server.database.schema.base import ID, NAME, NEVER_AGAIN, Base, now

__all__ = ["AccessRequest", "Like", "Redirect", "Repository", "RepositoryTag"]


class Repository(Base):
    """A repository of a user or an organization."""

    __tablename__ = "repositories"
    __table_args__ = (
        CheckConstraint("type IN ('dataset', 'model', 'space')", name="type"),
        CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
        CheckConstraint("gated IN ('no', 'auto', 'manual')", name="gated"),
        UniqueConstraint("type", "owner_id", "name_key"),
        Index("ix_repositories_updated", "type", "updated_at", "id"),
        Index("ix_repositories_created", "type", "created_at", "id"),
        Index("ix_repositories_downloads", "type", "downloads", "id"),
        Index("ix_repositories_likes", "type", "likes", "id"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    type: Mapped[str] = mapped_column(String(8))
    owner_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(NAME)
    name_key: Mapped[str] = mapped_column(NAME)
    visibility: Mapped[str] = mapped_column(String(8))
    gated: Mapped[str] = mapped_column(String(6), default="no")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    downloads: Mapped[int] = mapped_column(default=0)
    likes: Mapped[int] = mapped_column(default=0)
    used_storage: Mapped[int] = mapped_column(default=0)
    """Bytes of its blobs (repository_blobs), over all history."""
    sdk: Mapped[str | None] = mapped_column(String(32))
    card: Mapped[dict[str, Any] | None]
    """Front matter of README.md at the head of ``main``; derived."""
    description: Mapped[str] = mapped_column(Text, default="")
    next_discussion: Mapped[int] = mapped_column(default=1)

    owner: Mapped[Account] = relationship(lazy="joined", innerjoin=True)

    @property
    def owner_name(self) -> str:
        """Name of the account it belongs to."""
        return self.owner.name

    @property
    def full_name(self) -> str:
        """``namespace/name``."""
        return f"{self.owner.name}/{self.name}"


class RepositoryTag(Base):
    """A searchable tag (``license:mit``, ``environment:CartPole-v1``); derived from card and facts."""

    __tablename__ = "repository_tags"
    __table_args__ = (Index("ix_repository_tags_tag", "tag_key", "repository_id"),)

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(255), primary_key=True)
    tag_key: Mapped[str] = mapped_column(String(255))
    position: Mapped[int] = mapped_column(default=0)


class Redirect(Base):
    """A former name of a repository."""

    __tablename__ = "redirects"

    type: Mapped[str] = mapped_column(String(8), primary_key=True)
    namespace_key: Mapped[str] = mapped_column(NAME, primary_key=True)
    name_key: Mapped[str] = mapped_column(NAME, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)


class Like(Base):
    """A user likes a repository."""

    __tablename__ = "likes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)


class AccessRequest(Base):
    """A user's wish to read a gated repository, and what became of it."""

    __tablename__ = "access_requests"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'accepted', 'rejected')", name="status"),
        UniqueConstraint("repository_id", "user_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(String(8))
    granted: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Given by an admin without having been asked for."""
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    rejection_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
