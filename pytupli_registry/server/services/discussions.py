"""Discussions: what pull requests share with them; titles, comments, status and the list of events."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from pytupli_registry.server.database.schema import Discussion, DiscussionEvent, Repository, now
from pytupli_registry.server.errors import BadRequest, Forbidden, NotFound
from pytupli_registry.server.services.permissions import Action, Caller, Ownership, allows
from pytupli_registry.server.services.webhooks import Event, announce
from pytupli_registry.server.wire.events import comment_of, discussion_of

__all__ = [
    "OPEN",
    "Search",
    "add_event",
    "check_own_or_writer",
    "checked_title",
    "comment_content",
    "comment_version",
    "count_comments",
    "events_of",
    "find_discussion",
    "list_discussions",
    "start",
    "tell",
]

SHORTEST_TITLE = 3
LONGEST_TITLE = 200
LONGEST_COMMENT = 65_536
MOST_EVENTS = 5000
TYPES = ("all", "discussion", "pull_request")
OPEN = ("draft", "open")
STATUSES = {"all": (), "open": OPEN, "closed": ("closed", "merged")}


@dataclass(frozen=True, slots=True)
class Search:
    """Which discussions of a repository are listed.

    Attributes:
        type: ``all``, ``discussion`` or ``pull_request``.
        status: ``all``, ``open`` (drafts too) or ``closed`` (merged ones too).
        author: name of who started it.
    """

    type: str = "all"
    status: str = "all"
    author: str | None = None

    def conditions(self, repository_id: int) -> list[ColumnElement[bool]]:
        """Return what selects them.

        Raises:
            BadRequest: an unknown type or status.
        """
        if self.type not in TYPES or self.status not in STATUSES:
            raise BadRequest(
                f"Discussions have the types {', '.join(TYPES)} and the statuses {', '.join(STATUSES)}."
            )
        chosen: list[ColumnElement[bool]] = [Discussion.repository_id == repository_id]
        if self.type != "all":
            chosen.append(Discussion.is_pull_request.is_(self.type == "pull_request"))
        if self.status != "all":
            chosen.append(Discussion.status.in_(STATUSES[self.status]))
        if self.author is not None:
            chosen.append(func.lower(Discussion.author_name) == self.author.lower())
        return chosen


def list_discussions(
    session: Session, repository_id: int, search: Search, *, start: int, count: int
) -> tuple[list[Discussion], int]:
    """Return a page of discussions, newest first, and how many there are in all.

    Raises:
        BadRequest: an unknown type or status.
    """
    conditions = search.conditions(repository_id)
    total = session.scalar(select(func.count()).select_from(Discussion).where(*conditions)) or 0
    found = session.scalars(
        select(Discussion).where(*conditions).order_by(Discussion.number.desc()).offset(start).limit(count)
    )
    return list(found), total


def count_comments(session: Session, repository_id: int, numbers: Sequence[int]) -> dict[int, int]:
    """Return how many comments each discussion has."""
    rows = session.execute(
        select(DiscussionEvent.number, func.count())
        .where(
            DiscussionEvent.repository_id == repository_id,
            DiscussionEvent.number.in_(numbers),
            DiscussionEvent.type == "comment",
        )
        .group_by(DiscussionEvent.number)
    )
    return dict(rows.all())


def find_discussion(
    session: Session, repository: Repository, number: int, *, change: bool = False
) -> Discussion:
    """Return a discussion by its number.

    Args:
        session: where to look.
        repository: whose.
        number: counted per repository, shared with pull requests.
        change: keep others from changing it until this transaction ends.

    Raises:
        NotFound: there is none.
    """
    query = select(Discussion).where(Discussion.repository_id == repository.id, Discussion.number == number)
    found = session.scalar(query.with_for_update() if change else query)
    if found is None:
        raise NotFound(f"{repository.full_name} has no discussion #{number}.")
    return found


def events_of(session: Session, discussion: Discussion) -> list[DiscussionEvent]:
    """Return what happened in a discussion, oldest first."""
    return list(
        session.scalars(
            select(DiscussionEvent)
            .where(
                DiscussionEvent.repository_id == discussion.repository_id,
                DiscussionEvent.number == discussion.number,
            )
            .order_by(DiscussionEvent.position)
        )
    )


def start(
    session: Session,
    repository: Repository,
    caller: Caller,
    title: str,
    description: str,
    *,
    status: str = "open",
    base: str | None = None,
    base_oid: str | None = None,
) -> Discussion:
    """Start a discussion; one with a ``base`` is a pull request. A description is its first comment.

    Raises:
        NotAuthenticated, Forbidden: nobody is logged in, or with a token that may only read.
        BadRequest: a title or a description that is too short or too long.
    """
    user_id = caller.writer()
    discussion = Discussion(
        repository_id=repository.id,
        number=_next_number(session, repository.id),
        title=checked_title(title),
        status=status,
        is_pull_request=base is not None,
        author_id=user_id,
        author_name=caller.name,
        base=base or "",
        base_oid=base_oid,
    )
    session.add(discussion)
    session.flush()
    if description.strip():
        add_event(session, discussion, caller, "comment", comment_content(description, caller))
    tell(session, repository, discussion, "create")
    return discussion


def _next_number(session: Session, repository_id: int) -> int:
    following = session.scalar(
        update(Repository)
        .where(Repository.id == repository_id)
        .values(next_discussion=Repository.next_discussion + 1)
        .returning(Repository.next_discussion)
    )
    return int(following or 0) - 1


def checked_title(title: str) -> str:
    """Return a title without blanks around it.

    Raises:
        BadRequest: it is too short or too long.
    """
    title = title.strip()
    if not SHORTEST_TITLE <= len(title) <= LONGEST_TITLE or not title.isprintable():
        raise BadRequest(f"A title has {SHORTEST_TITLE} to {LONGEST_TITLE} printable characters.")
    return title


def add_event(
    session: Session, discussion: Discussion, caller: Caller, type_: str, content: dict[str, Any]
) -> DiscussionEvent:
    """Add an event at the end of a discussion, which must be locked by :func:`find_discussion` or new.

    Raises:
        BadRequest: there are too many already.
    """
    last = session.scalar(
        select(func.max(DiscussionEvent.position)).where(
            DiscussionEvent.repository_id == discussion.repository_id,
            DiscussionEvent.number == discussion.number,
        )
    )
    position = 0 if last is None else int(last) + 1
    if position >= MOST_EVENTS:
        raise BadRequest(f"A discussion has at most {MOST_EVENTS} events. Start another one.")
    event = DiscussionEvent(
        id=secrets.token_hex(12),
        repository_id=discussion.repository_id,
        number=discussion.number,
        position=position,
        type=type_,
        author_id=caller.user_id,
        author_name=caller.name,
        content=content,
    )
    session.add(event)
    session.flush()
    return event


def comment_content(text: str, caller: Caller) -> dict[str, Any]:
    """Return what is kept of a new comment.

    Raises:
        BadRequest: it is empty or too long.
    """
    return {"hidden": False, "versions": [comment_version(text, caller)]}


def comment_version(text: str, caller: Caller) -> dict[str, Any]:
    """Return what is kept of one version of a comment.

    Raises:
        BadRequest: it is empty or too long.
    """
    if not text.strip() or len(text) > LONGEST_COMMENT:
        raise BadRequest(f"A comment has 1 to {LONGEST_COMMENT} characters.")
    return {"raw": text, "at": now().isoformat(), "author": caller.name}


def check_own_or_writer(repository: Repository, caller: Caller, author_id: int | None, doing: str) -> None:
    """Raise unless ``caller`` is the author or may write to the repository.

    Raises:
        NotAuthenticated, Forbidden: neither.
    """
    if author_id == caller.writer():
        return
    ownership = Ownership(repository.owner_id, repository.visibility, repository.created_by)
    if not allows(caller, ownership, Action.WRITE):
        raise Forbidden(
            f"You may not {doing}: only its author and those who may write to the repository may."
        )


def tell(
    session: Session,
    repository: Repository,
    discussion: Discussion,
    action: str,
    event: DiscussionEvent | None = None,
) -> None:
    """Announce to webhooks what happened to a discussion, or to one comment in it."""
    shown = discussion_of(
        repo_type=repository.type,
        repo_name=repository.full_name,
        number=discussion.number,
        title=discussion.title,
        status=discussion.status,
        author_id=discussion.author_id,
        is_pull_request=discussion.is_pull_request,
    )
    if discussion.is_pull_request:
        merged = {"mergeCommitId": discussion.merge_oid} if discussion.merge_oid else {}
        shown["changes"] = {"base": discussion.base, **merged}
    parts = {"discussion": shown}
    if event is not None:
        content = event.content
        parts["comment"] = comment_of(
            shown,
            id_=event.id,
            author_id=event.author_id,
            content=content["versions"][-1]["raw"],
            hidden=content["hidden"],
        )
    announce(session, repository, Event(action, "discussion.comment" if event else "discussion", parts))
