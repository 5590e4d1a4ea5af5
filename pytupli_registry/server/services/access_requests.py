"""Access requests: who may read the files of a gated repository.

A request is pending, accepted or rejected; the repository's owners decide, or nobody has to where the gate is
``auto``. Owners can also let somebody in who never asked.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from pytupli_registry.server.database.schema import AccessRequest, Account, Repository, User
from pytupli_registry.server.errors import BadRequest, Conflict, Forbidden, NotFound
from pytupli_registry.server.services.accounts import find_account
from pytupli_registry.server.services.permissions import PASSES_GATES, Caller, Ownership, standing_of

__all__ = [
    "STATUSES",
    "Requested",
    "ask",
    "check_gated",
    "decide",
    "grant",
    "has_access",
    "list_requests",
    "status_of",
]

STATUSES = ("pending", "accepted", "rejected")
LONGEST_REASON = 1000
LARGEST_FIELDS = 16_384
Requested = tuple[AccessRequest, Account, str | None]
"""A request, whose it is, and that user's e-mail address."""


def has_access(session: Session, repository_id: int, user_id: int) -> bool:
    """Return whether a user was let into a gated repository."""
    return status_of(session, repository_id, user_id) == "accepted"


def status_of(session: Session, repository_id: int, user_id: int) -> str | None:
    """Return what became of a user's request, or None if there is none."""
    return session.scalar(
        select(AccessRequest.status).where(
            AccessRequest.repository_id == repository_id, AccessRequest.user_id == user_id
        )
    )


def ask(session: Session, repository: Repository, caller: Caller, fields: dict[str, Any]) -> AccessRequest:
    """Ask for access and return the request; asking again changes nothing.

    Args:
        session: must write.
        repository: a gated repository that the caller may see.
        caller: who asks.
        fields: the answers to what the repository's owners want to know.

    Raises:
        NotAuthenticated: nobody is logged in.
        BadRequest: the repository is not gated, or the answers are too long.
        Conflict: the caller may read the files anyway.
        Forbidden: the request was rejected, or a token that may only read.
    """
    user_id = caller.writer()
    _check_askable(repository, caller, fields)
    request = _find(session, repository.id, user_id)
    if request is None:
        status = "accepted" if repository.gated == "auto" else "pending"
        return _add(session, repository, user_id, status, fields=fields)
    if request.status == "rejected":
        reason = f" {request.rejection_reason}" if request.rejection_reason else ""
        raise Forbidden(f"Your request for access to {repository.full_name} was rejected.{reason}")
    return request


def check_gated(repository: Repository) -> None:
    """Raise unless the files of a repository are given on request only.

    Raises:
        BadRequest: they are not.
    """
    if repository.gated == "no":
        raise BadRequest(f"The files of {repository.full_name} are not gated: no request is needed.")


def _check_askable(repository: Repository, caller: Caller, fields: dict[str, Any]) -> None:
    check_gated(repository)
    ownership = Ownership(repository.owner_id, repository.visibility, repository.created_by)
    if standing_of(caller, ownership) in PASSES_GATES:
        raise Conflict(f"You may read the files of {repository.full_name} already.")
    if len(json.dumps(fields)) > LARGEST_FIELDS:
        raise BadRequest("The answers are too long.")


def list_requests(
    session: Session, repository_id: int, status: str, *, after: str, count: int
) -> list[Requested]:
    """Return the requests in a status by id, the first ``count`` that come after the id ``after``.

    Raises:
        BadRequest: there is no such status, or ``after`` is no id.
    """
    if after and not after.isalnum():
        raise BadRequest("The cursor is not one of this Hub. Begin the listing again.")
    user = aliased(User)
    rows = session.execute(
        select(AccessRequest, Account, user.email)
        .join(Account, Account.id == AccessRequest.user_id)
        .join(user, user.account_id == AccessRequest.user_id)
        .where(
            AccessRequest.repository_id == repository_id,
            AccessRequest.status == _checked(status),
            AccessRequest.id > after,
        )
        .order_by(AccessRequest.id)
        .limit(count)
    )
    return list(rows.all())


def grant(session: Session, repository: Repository, user_name: str) -> AccessRequest:
    """Let a user in, whether or not they asked.

    Raises:
        NotFound: no such user.
        BadRequest: the user has access already, or the repository is not gated.
    """
    check_gated(repository)
    user = _user(session, user_name)
    request = _find(session, repository.id, user.id)
    if request is None:
        return _add(session, repository, user.id, "accepted", granted=True)
    if request.status == "accepted":
        raise BadRequest(f"{user.name} has access to {repository.full_name} already.")
    _change(request, "accepted", None)
    session.flush()
    return request


def decide(
    session: Session,
    repository: Repository,
    status: str,
    *,
    user_name: str | None = None,
    request_id: str | None = None,
    reason: str | None = None,
) -> AccessRequest:
    """Accept or reject a request, or make it pending again.

    Raises:
        BadRequest: neither or both of user and request are named, an unknown status, a reason for something
            other than a rejection, or the repository is not gated.
        NotFound: there is no such request, or it is in that status already (clients document it so).
    """
    check_gated(repository)
    _check_reason(_checked(status), reason)
    request = _asked(session, repository, user_name, request_id)
    _change(request, status, reason)
    session.flush()
    return request


def _check_reason(status: str, reason: str | None) -> None:
    if reason is None:
        return
    if status != "rejected":
        raise BadRequest("Only a rejection has a reason.")
    if len(reason) > LONGEST_REASON:
        raise BadRequest(f"A reason has at most {LONGEST_REASON} characters.")


def _asked(
    session: Session, repository: Repository, user_name: str | None, request_id: str | None
) -> AccessRequest:
    if (user_name is None) == (request_id is None):
        raise BadRequest("Say whose request is meant: give either 'user' or 'requestId'.")
    if user_name is not None:
        found = _find(session, repository.id, _user(session, user_name).id)
    else:
        found = session.scalar(
            select(AccessRequest).where(
                AccessRequest.repository_id == repository.id, AccessRequest.id == request_id
            )
        )
    if found is None:
        raise NotFound(f"There is no such access request for {repository.full_name}.")
    return found


def _change(request: AccessRequest, status: str, reason: str | None) -> None:
    if request.status == status:
        raise NotFound(f"There is no such access request: it is {status} already.")
    request.status = status
    request.rejection_reason = reason


def _find(session: Session, repository_id: int, user_id: int) -> AccessRequest | None:
    return session.scalar(
        select(AccessRequest).where(
            AccessRequest.repository_id == repository_id, AccessRequest.user_id == user_id
        )
    )


def _add(
    session: Session,
    repository: Repository,
    user_id: int,
    status: str,
    *,
    fields: dict[str, Any] | None = None,
    granted: bool = False,
) -> AccessRequest:
    request = AccessRequest(
        id=secrets.token_hex(12),
        repository_id=repository.id,
        user_id=user_id,
        status=status,
        fields=fields or {},
        granted=granted,
    )
    session.add(request)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"There is an access request for {repository.full_name} already.") from error
    return request


def _user(session: Session, name: str) -> Account:
    account = find_account(session, name)
    if account is None or account.kind != "user":
        raise NotFound(f"There is no user {name[:100]!r}.")
    return account


def _checked(status: str) -> str:
    if status not in STATUSES:
        raise BadRequest(f"The status {status[:40]!r} is unknown: use one of {', '.join(STATUSES)}.")
    return status
