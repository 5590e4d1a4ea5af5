"""Finding repositories: by owner, text, tags; sorted and paged; only what the caller may see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from pytupli_registry.server.database.prepared import PreparedForMany
from pytupli_registry.server.database.schema import Account, Repository, RepositoryTag
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.permissions import Caller, readable_owners
from pytupli_registry.server.wire.names import RepoType, key_of

__all__ = ["SORTS", "Search", "list_repositories", "tags_of", "visible_to"]

SORTS: dict[str, InstrumentedAttribute[Any]] = {
    "lastModified": Repository.updated_at,
    "createdAt": Repository.created_at,
    "downloads": Repository.downloads,
    "likes": Repository.likes,
    "trendingScore": Repository.downloads,
}


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Attributes:
        type: datasets, models or spaces.
        author: an owner's name.
        words: texts that must all be in ``owner/name``.
        tags: tags that it must all have.
        gated: whether it must (not) be gated; None for both.
        sort: a key of ``SORTS``, or None for the newest first.
        ascending: the other way round.
    """

    type: RepoType
    author: str | None = None
    words: Sequence[str] = ()
    tags: Sequence[str] = ()
    gated: bool | None = None
    sort: str | None = None
    ascending: bool = False


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Return the condition under which a repository may be seen: the same as in the permissions' table."""
    if caller.is_admin:
        return true()
    public = Repository.visibility == "public"
    if caller.user_id is None:
        return public
    return or_(public, Repository.owner_id.in_(readable_owners(caller)))


def list_repositories(
    session: Session, caller: Caller, search: Search, *, count: int, cursor: str = ""
) -> tuple[list[Repository], str | None]:
    """Return a page of repositories, and where the next one begins (None: it was the last).

    Raises:
        BadRequest: an unknown sort, or a cursor that is none.
    """
    column = SORTS.get(search.sort or "lastModified")
    if column is None:
        raise BadRequest(f"Unknown sort {search.sort!r:.60}: expected one of {_choices(SORTS)}.")
    query = _matching(caller, search)
    if cursor:
        edge = _read_cursor(cursor, column)
        query = query.where(
            tuple_(column, Repository.id) > edge if search.ascending else tuple_(column, Repository.id) < edge
        )
    order = (column.asc(), Repository.id.asc()) if search.ascending else (column.desc(), Repository.id.desc())
    found = list(session.scalars(query.order_by(*order).limit(count + 1)))
    if len(found) <= count:
        return found, None
    last = found[count - 1]
    return found[:count], _cursor(getattr(last, column.key), last.id)


def _choices(names: dict[str, Any]) -> str:
    return "|".join(f'"{name}"' for name in names)


def _cursor(value: datetime | int, row: int) -> str:
    return json.dumps([value.isoformat() if isinstance(value, datetime) else value, row])


def _read_cursor(cursor: str, column: InstrumentedAttribute[Any]) -> tuple[Any, int]:
    try:
        value, row = json.loads(cursor)
        if column in (Repository.updated_at, Repository.created_at):
            value = datetime.fromisoformat(value)
            return value if value.tzinfo else value.astimezone(), _checked(row)
        return _checked(value), _checked(row)
    except (ValueError, TypeError) as error:
        raise BadRequest("The cursor is not one of this Hub. Begin the listing again.") from error


def _checked(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or abs(number) >= 1 << 63:
        raise ValueError("not a row")
    return number


def _matching(caller: Caller, search: Search) -> Select[Repository]:
    query = (
        select(Repository)
        .join(Repository.owner)
        .where(Repository.type == search.type.value, visible_to(caller))
    )
    if search.author is not None:
        query = query.where(Account.name_key == key_of(search.author))
    for word in search.words:
        query = query.where(_contains(key_of(word)))
    for tag in search.tags:
        query = query.where(
            Repository.id.in_(select(RepositoryTag.repository_id).where(RepositoryTag.tag_key == tag.lower()))
        )
    if search.gated is not None:
        query = query.where(Repository.gated != "no" if search.gated else Repository.gated == "no")
    return query


def _contains(word: str) -> ColumnElement[bool]:
    owner, slash, name = word.partition("/")
    if slash:
        return and_(
            Account.name_key.endswith(owner, autoescape=True),
            Repository.name_key.startswith(name, autoescape=True),
        )
    return or_(
        Repository.name_key.contains(word, autoescape=True), Account.name_key.contains(word, autoescape=True)
    )


_TAG_ROWS = RepositoryTag.__table__.c
_TAGS = PreparedForMany(
    select(_TAG_ROWS.repository_id, _TAG_ROWS.tag).order_by(
        _TAG_ROWS.repository_id, _TAG_ROWS.position, _TAG_ROWS.tag
    ),
    _TAG_ROWS.repository_id,
)


def tags_of(session: Session, repository_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the tags of repositories, in the order in which they are shown."""
    tags: dict[int, list[str]] = {repository_id: [] for repository_id in repository_ids}
    for repository_id, tag in _TAGS.rows(session, tags):
        tags[repository_id].append(tag)
    return tags
