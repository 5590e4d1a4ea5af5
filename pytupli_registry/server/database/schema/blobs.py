"""Bytes in the object store, and uploads on their way there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from pytupli_registry.server.database.schema.base import SHA256, Base, now

__all__ = ["Blob", "RepositoryBlob", "Upload", "UploadPart", "Xorb"]


class Blob(Base):
    """Verified bytes in the object store, under ``blobs/<sha256>``."""

    __tablename__ = "blobs"
    __table_args__ = (CheckConstraint("size >= 0", name="size"),)

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    size: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)
    touched_at: Mapped[datetime] = mapped_column(default=now)
    """Last time an upload came to it; gc leaves it alone for the grace period after that."""


class RepositoryBlob(Base):
    """A blob that belongs to a repository: uploaded to it by someone who might, or committed in it."""

    __tablename__ = "repository_blobs"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(
        ForeignKey("blobs.sha256", ondelete="RESTRICT"), primary_key=True, index=True
    )
    uploaded_by: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Upload(Base):
    """A multipart upload under way; its parts lie in the object store under ``parts/<id>/<number>``."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    sha256: Mapped[str] = mapped_column(SHA256)
    size: Mapped[int]
    part_size: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UploadPart(Base):
    """A part that has arrived whole."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(SHA256)


class Xorb(Base):
    """A Xet xorb of one user: its bytes until a shard used them, then only where its chunks are.

    ``segments`` maps runs of chunks to blobs: ``[[first, end, sha256, offset], …]``; ``lengths`` are the
    unpacked bytes of all chunks, little-endian u32 each.
    """

    __tablename__ = "xorbs"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[str] = mapped_column(SHA256, primary_key=True)
    size: Mapped[int]
    lengths: Mapped[bytes] = mapped_column(LargeBinary)
    stored: Mapped[bool]
    """Whether the object store still has its bytes."""
    segments: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    touched_at: Mapped[datetime] = mapped_column(default=now)
