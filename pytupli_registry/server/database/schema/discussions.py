"""Discussions and pull requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pytupli_registry.server.database.schema.base import GIT_ID, NAME, Base, now

__all__ = ["Discussion", "DiscussionEvent"]


class Discussion(Base):
    """A discussion or a pull request; numbers are counted per repository."""

    __tablename__ = "discussions"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'open', 'closed', 'merged')", name="status"),
        Index("ix_discussions_listing", "repository_id", "is_pull_request", "status"),
    )

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(8))
    is_pull_request: Mapped[bool]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    author_name: Mapped[str] = mapped_column(NAME)
    base: Mapped[str] = mapped_column(String(255), default="refs/heads/main")
    """The branch a pull request wants to change."""
    base_oid: Mapped[str | None] = mapped_column(GIT_ID)
    """Head of the base when the pull request was made: where its changes are counted from."""
    merge_oid: Mapped[str | None] = mapped_column(GIT_ID)
    created_at: Mapped[datetime] = mapped_column(default=now)


class DiscussionEvent(Base):
    """Something that happened in a discussion: ``comment``, ``status-change``, ``commit``, ``title-change``."""

    __tablename__ = "discussion_events"
    __table_args__ = (Index("ix_discussion_events_listing", "repository_id", "number", "position"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    number: Mapped[int]
    position: Mapped[int]
    type: Mapped[str] = mapped_column(String(16))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    author_name: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[datetime] = mapped_column(default=now)
    content: Mapped[dict[str, Any]]
