"""Likes: users mark repositories; the count on a repository is derived from them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Account, Like, Repository, User, now
from pytupli_registry.server.services.listing import visible_to
from pytupli_registry.server.services.permissions import Caller

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["like", "liked_by", "likers_of", "unlike"]


def like(session: Session, hub: Hub, repository: Repository, caller: Caller) -> int:
    """Like a repository and return how many do; doing it again changes nothing.

    Raises:
        NotAuthenticated, Forbidden: nobody is logged in, or with a token that may only read.
    """
    user_id = caller.writer()
    _lock(session, repository)
    row = {"user_id": user_id, "repository_id": repository.id, "created_at": now()}
    hub.database.insert_missing(session, Like, [row])
    return _recount(session, repository)


def unlike(session: Session, repository: Repository, caller: Caller) -> int:
    """Take a like back and return how many are left; without one nothing changes.

    Raises:
        NotAuthenticated, Forbidden: nobody is logged in, or with a token that may only read.
    """
    user_id = caller.writer()
    _lock(session, repository)
    session.execute(delete(Like).where(Like.user_id == user_id, Like.repository_id == repository.id))
    return _recount(session, repository)


def _lock(session: Session, repository: Repository) -> None:
    # Before the like is written, whose foreign key holds the repository for others' likes as well as ours: who then
    # wants more of it waits for all of them, and they for it.
    one = select(Repository.id).where(Repository.id == repository.id)
    session.execute(one.with_for_update(key_share=True))


def _recount(session: Session, repository: Repository) -> int:
    """Count again, under the lock: a count that waited for another's would be old."""
    counted = select(func.count()).where(Like.repository_id == repository.id).scalar_subquery()
    return int(
        session.scalar(
            update(Repository)
            .where(Repository.id == repository.id)
            .values(likes=counted)
            .returning(Repository.likes)
        )
        or 0
    )


def liked_by(
    session: Session, caller: Caller, user_id: int, *, after: int, count: int
) -> list[tuple[Repository, datetime]]:
    """Return the repositories that a user likes and ``caller`` may see, by id, from behind ``after`` on."""
    rows = session.execute(
        select(Repository, Like.created_at)
        .join(Like, Like.repository_id == Repository.id)
        .where(Like.user_id == user_id, Repository.id > after, visible_to(caller))
        .order_by(Repository.id)
        .limit(count)
    )
    return list(rows.all())


def likers_of(session: Session, repository_id: int, *, after: int, count: int) -> list[Account]:
    """Return the users who like a repository, by id, from behind ``after`` on."""
    return list(
        session.scalars(
            select(Account)
            .join(Like, Like.user_id == Account.id)
            .join(User, User.account_id == Account.id)
            .where(Like.repository_id == repository_id, Account.id > after, User.disabled_at.is_(None))
            .order_by(Account.id)
            .limit(count)
        )
    )
