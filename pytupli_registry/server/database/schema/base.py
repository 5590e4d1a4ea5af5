"""What all tables have in common: times, identifiers, names of constraints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, MetaData, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase

__all__ = ["GIT_ID", "ID", "NAME", "NEVER_AGAIN", "SHA256", "Base", "UTCDateTime", "now"]

GIT_ID = String(40)
SHA256 = String(64)
NAME = String(96)


def now() -> datetime:
    """Return the time, aware and in UTC, to the millisecond (what clients are shown)."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; SQLite, which has no time zones, stores it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive times: nobody could say what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back."""
        if value is None or value.tzinfo is not None:
            return None if value is None else value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime(), dict[str, Any]: JSON, list[Any]: JSON, int: BigInteger}  # noqa: RUF012


# SQLite counts rows up by itself only in a column declared INTEGER.
ID = BigInteger().with_variant(Integer(), "sqlite")

# SQLite would give the id of a deleted last row to the next one: what was signed for a revoked token or a deleted
# repository would hold for another one.
NEVER_AGAIN = {"sqlite_autoincrement": True}
