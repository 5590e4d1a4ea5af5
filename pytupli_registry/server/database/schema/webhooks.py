"""Webhooks, and what they are still to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from pytupli_registry.server.database.schema.base import ID, Base, now

__all__ = ["Webhook", "WebhookDelivery", "WebhookWatch"]


class Webhook(Base):
    """A URL that wants to be told of events."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    watched: Mapped[list[Any]]
    domains: Mapped[list[Any]]
    secret: Mapped[str | None] = mapped_column(String(255))
    disabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    base_url: Mapped[str] = mapped_column(String(2048), default="")
    """What its owner called this Hub: URLs in its deliveries begin so."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class WebhookWatch(Base):
    """What a webhook watches, to be found by it; the same as ``Webhook.watched``."""

    __tablename__ = "webhook_watches"
    __table_args__ = (Index("ix_webhook_watches_name", "name_key", "type"),)

    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True)
    type: Mapped[str] = mapped_column(String(8), primary_key=True)
    """``dataset``, ``model``, ``space``, or ``user``, ``org`` for all of an account's repositories."""
    name_key: Mapped[str] = mapped_column(String(200), primary_key=True)


class WebhookDelivery(Base):
    """An event that a webhook is still to be told of; written with the change itself, gone when delivered."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now, index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
