"""Finding datasets by what is known of them; only those whose files the caller may read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select, true, tuple_
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import (
    AccessRequest,
    Account,
    DatasetFacts,
    Repository,
    RepositoryTag,
)
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.listing import visible_to
from pytupli_registry.server.services.permissions import PASSES_GATES, STANDINGS, Caller, Standing
from pytupli_registry.server.wire.names import key_of

__all__ = ["SORTS", "DatasetSearch", "Found", "search_datasets"]

_VERSIONED = re.compile(r".+-v[0-9]+")
_LONGEST_PATH = 2048
_UNKNOWN = -1  # what is not known comes last when the largest comes first
_LEAST_RETURN = -1.7e308

SORTS: Mapping[str, SQLColumnExpression[Any]] = {
    "updated": Repository.updated_at,
    "created": Repository.created_at,
    "downloads": Repository.downloads,
    "likes": Repository.likes,
    "episodes": func.coalesce(DatasetFacts.total_episodes, _UNKNOWN),
    "steps": func.coalesce(DatasetFacts.total_steps, _UNKNOWN),
    "size": func.coalesce(DatasetFacts.size, _UNKNOWN),
    "return": func.coalesce(DatasetFacts.return_mean, _LEAST_RETURN),
    "score": func.coalesce(DatasetFacts.score, _LEAST_RETURN),
}
_TIMES = frozenset({"updated", "created"})


@dataclass(frozen=True, slots=True)
class DatasetSearch:
    """What is looked for; everything given must hold. Letters' case does not matter.

    Attributes:
        words: texts, each of which is in a name, an id, the environment or the description.
        author: the owner of the repository.
        environment: Gymnasium's id; without a version, all versions.
        observation: kind of the observation space, ``Box``.
        action: kind of the action space.
        space: kind of either space.
        data_format: ``hdf5``, ``arrow``, ``parquet``.
        tags: tags that the repository has.
        episodes: least and largest number of episodes.
        steps: least and largest number of steps.
        size: least and largest number of bytes.
        returns: least and largest mean return.
        score: least and largest score.
        sort: a key of ``SORTS``.
        ascending: the smallest first.
    """

    words: Sequence[str] = ()
    author: str | None = None
    environment: str | None = None
    observation: str | None = None
    action: str | None = None
    space: str | None = None
    data_format: str | None = None
    tags: Sequence[str] = ()
    episodes: tuple[int | None, int | None] = (None, None)
    steps: tuple[int | None, int | None] = (None, None)
    size: tuple[int | None, int | None] = (None, None)
    returns: tuple[float | None, float | None] = (None, None)
    score: tuple[float | None, float | None] = (None, None)
    sort: str = "updated"
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset and the repository it is in."""

    facts: DatasetFacts
    repository: Repository


def search_datasets(
    session: Session, caller: Caller, search: DatasetSearch, *, count: int, cursor: str = ""
) -> tuple[list[Found], str | None]:
    """Return a page of datasets, and where the next one begins (None: it was the last).

    Raises:
        BadRequest: an unknown sort, or a cursor that is none.
    """
    column = SORTS.get(search.sort)
    if column is None:
        choices = "|".join(f'"{name}"' for name in SORTS)
        raise BadRequest(f"Unknown sort {search.sort!r:.60}: expected one of {choices}.")
    place = tuple_(column, DatasetFacts.repository_id, DatasetFacts.path)
    query = _matching(caller, search).add_columns(column)
    if cursor:
        edge = _read_cursor(cursor, search.sort)
        query = query.where(place > edge if search.ascending else place < edge)
    keys = (column, DatasetFacts.repository_id, DatasetFacts.path)
    order = [key.asc() if search.ascending else key.desc() for key in keys]
    rows = session.execute(query.order_by(*order).limit(count + 1)).all()
    found = [Found(facts, repository) for facts, repository, _ in rows[:count]]
    return found, _cursor(rows[count - 1][2], found[-1].facts) if len(rows) > count else None


def _cursor(value: datetime | float, last: DatasetFacts) -> str:
    shown = value.isoformat() if isinstance(value, datetime) else value
    return json.dumps([shown, last.repository_id, last.path])


def _read_cursor(cursor: str, sort: str) -> tuple[Any, int, str]:
    try:
        value, repository_id, path = json.loads(cursor)
        edge = datetime.fromisoformat(value).astimezone() if sort in _TIMES else _number(value)
        return edge, _row(repository_id), _text(path)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise BadRequest("The cursor is not one of this Hub. Begin the listing again.") from error


def _number(value: object) -> float:
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _row(value)


def _row(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63:
        raise ValueError("no number of this Hub")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value or len(value.encode()) > _LONGEST_PATH:
        raise ValueError("no path of this Hub")
    return value


def _matching(caller: Caller, search: DatasetSearch) -> Select[DatasetFacts, Repository]:
    return (
        select(DatasetFacts, Repository)
        .join(Repository, Repository.id == DatasetFacts.repository_id)
        .join(Repository.owner)
        .where(visible_to(caller), _passes_gate(caller), *_conditions(search))
    )


def _passes_gate(caller: Caller) -> ColumnElement[bool]:
    """Return the condition under which files are given: as ``repositories.check_gate`` decides for one repository."""
    if caller.is_admin:
        return true()
    is_open = Repository.gated == "no"
    if caller.user_id is None:
        return is_open
    standings = {owner: STANDINGS[role] for owner, role in caller.roles.items()}
    through = [owner for owner, standing in standings.items() if standing in PASSES_GATES]
    creating = [owner for owner, standing in standings.items() if standing is Standing.CONTRIBUTOR]
    accepted = select(AccessRequest.repository_id).where(
        AccessRequest.user_id == caller.user_id, AccessRequest.status == "accepted"
    )
    return or_(
        is_open,
        Repository.owner_id.in_([caller.user_id, *through]),
        and_(Repository.owner_id.in_(creating), Repository.created_by == caller.user_id),
        Repository.id.in_(accepted),
    )


def _conditions(search: DatasetSearch) -> Iterator[ColumnElement[bool]]:
    if search.author is not None:
        yield Account.name_key == key_of(search.author)
    if search.environment is not None:
        yield _is_environment(search.environment.lower())
    for column, wanted in (
        (DatasetFacts.observation_kind, search.observation),
        (DatasetFacts.action_kind, search.action),
        (DatasetFacts.data_format, search.data_format),
    ):
        if wanted is not None:
            yield func.lower(column) == wanted.lower()
    if search.space is not None:
        kinds = (func.lower(DatasetFacts.observation_kind), func.lower(DatasetFacts.action_kind))
        yield or_(*(kind == search.space.lower() for kind in kinds))
    for tag in search.tags:
        yield Repository.id.in_(
            select(RepositoryTag.repository_id).where(RepositoryTag.tag_key == tag.lower())
        )
    for word in search.words:
        yield _mentions(word.lower())
    yield from _ranges(search)


def _is_environment(wanted: str) -> ColumnElement[bool]:
    column = func.lower(DatasetFacts.environment_id)
    if _VERSIONED.fullmatch(wanted):
        return column == wanted
    return or_(column == wanted, column.startswith(f"{wanted}-v", autoescape=True))


def _mentions(word: str) -> ColumnElement[bool]:
    columns = (
        Account.name_key,
        Repository.name_key,
        func.lower(DatasetFacts.dataset_id),
        func.lower(DatasetFacts.path),
        func.lower(DatasetFacts.environment_id),
        func.lower(Repository.description),
        func.lower(DatasetFacts.description),
    )
    return or_(*(column.contains(word, autoescape=True) for column in columns))


def _ranges(search: DatasetSearch) -> Iterator[ColumnElement[bool]]:
    for column, (least, largest) in (
        (DatasetFacts.total_episodes, search.episodes),
        (DatasetFacts.total_steps, search.steps),
        (DatasetFacts.size, search.size),
        (DatasetFacts.return_mean, search.returns),
        (DatasetFacts.score, search.score),
    ):
        if least is not None:
            yield column >= least
        if largest is not None:
            yield column <= largest
