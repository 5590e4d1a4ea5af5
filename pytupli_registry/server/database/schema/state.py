"""What the Hub remembers of itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from pytupli_registry.server.database.schema.base import Base

__all__ = ["HubState"]


class HubState(Base):
    """Single values of the whole Hub: ``xet_epoch``, the time of the last gc."""

    __tablename__ = "hub_state"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]]
