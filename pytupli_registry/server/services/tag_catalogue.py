"""All tags that repositories of a type have, by what they tell about (``license``, ``language``, …)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Repository, RepositoryTag
from pytupli_registry.server.services.listing import visible_to
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.wire.names import RepoType

__all__ = ["OTHER", "tags_by_type"]

OTHER = "other"
MOST_TAGS = 20_000


def tags_by_type(session: Session, caller: Caller, type_: RepoType) -> dict[str, list[str]]:
    """Return the tags of all repositories that the caller may see; those without a prefix are ``other``."""
    tags = session.scalars(
        select(RepositoryTag.tag)
        .join(Repository, Repository.id == RepositoryTag.repository_id)
        .where(Repository.type == type_.value, visible_to(caller))
        .distinct()
        .order_by(RepositoryTag.tag)
        .limit(MOST_TAGS)
    )
    grouped: dict[str, list[str]] = {}
    for tag in tags:
        prefix, colon, _ = tag.partition(":")
        grouped.setdefault(prefix if colon else OTHER, []).append(tag)
    return grouped
