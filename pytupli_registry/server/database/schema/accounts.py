"""Users, organizations, and what they prove who they are with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from pytupli_registry.server.database.schema.base import ID, NAME, NEVER_AGAIN, SHA256, Base, now

__all__ = ["Account", "DeviceLogin", "Membership", "Organization", "Token", "User"]


class Account(Base):
    """A name on this Hub: a user or an organization. They share one namespace."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("kind IN ('user', 'organization')", name="kind"), NEVER_AGAIN)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(NAME)
    name_key: Mapped[str] = mapped_column(NAME, unique=True)
    full_name: Mapped[str] = mapped_column(String(255), default="")
    details: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=now)


class User(Base):
    """What only users have. Without a password hash one cannot log in by password (sign-on comes later)."""

    __tablename__ = "users"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=false())
    disabled_at: Mapped[datetime | None]


class Organization(Base):
    """What only organizations have."""

    __tablename__ = "organizations"
    __table_args__ = (
        CheckConstraint("default_visibility IN ('public', 'private')", name="default_visibility"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    default_visibility: Mapped[str] = mapped_column(String(8), default="private")
    members_public: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether outsiders may see that the organization exists and who belongs to it."""


class Membership(Base):
    """A user's role in an organization."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('read', 'contributor', 'write', 'admin')", name="role"),)

    organization_id: Mapped[int] = mapped_column(
        ForeignKey("organizations.account_id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.account_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Token(Base):
    """A credential; only the SHA-256 of its text is kept (it has 256 random bits, so no salt is needed).

    ``personal``: an access token made on purpose. ``session``: the cookie of a browser. ``login``: the refresh
    token of a device login; its ``device`` access tokens are its children and end with it.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("role IN ('read', 'write')", name="role"),
        CheckConstraint("kind IN ('personal', 'session', 'login', 'device')", name="kind"),
        CheckConstraint("(kind = 'device') = (parent_id IS NOT NULL)", name="parent"),
        UniqueConstraint("user_id", "name"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(NAME)
    digest: Mapped[str] = mapped_column(SHA256, unique=True)
    role: Mapped[str] = mapped_column(String(5))
    kind: Mapped[str] = mapped_column(String(8), default="personal")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class DeviceLogin(Base):
    """An OAuth device login (RFC 8628) that waits for its user's consent."""

    __tablename__ = "device_logins"

    device_digest: Mapped[str] = mapped_column(SHA256, primary_key=True)
    user_code: Mapped[str] = mapped_column(String(16), unique=True)
    client: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"))
    denied: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    polled_at: Mapped[datetime | None]
