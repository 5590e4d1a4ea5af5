"""Users: what the Hub's protocol tells of them, and our own interface for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, Segment, address_of
from pytupli_registry.server.errors import BadRequest, Forbidden
from pytupli_registry.server.routes.answers import page_of, page_response, read_cursor
from pytupli_registry.server.routes.identity import avatar
from pytupli_registry.server.services import accounts, users
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.overviews import user_overview
from pytupli_registry.server.services.passwords import hash_password
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.wire.administration import (
    NewUser,
    PasswordChange,
    UserAnswer,
    UserUpdate,
    Voided,
)
from pytupli_registry.server.wire.names import key_of

router = APIRouter(tags=["users"])


@router.get("/api/users/{user}/overview")
def overview(hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, user: Segment) -> dict[str, Any]:
    """Tell about a user."""
    with hub.database.read() as session:
        found = user_overview(session, caller, user)
    counted = {
        f"num{kind.capitalize()}s": found.repositories.get(kind, 0) for kind in ("model", "dataset", "space")
    }
    return {
        "user": found.name,
        "fullname": found.full_name,
        "avatarUrl": avatar(base, "user"),
        "type": "user",
        "details": found.details,
        "isPro": False,
        "isFollowing": False,
        **counted,
        "numDiscussions": found.discussions,
        "numLikes": found.likes,
        "numPapers": 0,
        "numUpvotes": 0,
        "numFollowing": 0,
        "numFollowers": 0,
        "orgs": [
            {"name": account.name, "fullname": account.full_name, "avatarUrl": avatar(base, "organization")}
            for account in found.organizations
        ],
    }


@router.get("/api/users/{user}/followers")
@router.get("/api/users/{user}/following")
def follows(hub: CurrentHub, caller: CurrentCaller, user: Segment) -> list[Any]:
    """List nobody: nobody follows anybody here."""
    with hub.database.read() as session:
        user_overview(session, caller, user)
    return []


@router.get("/api/users", response_model=list[UserAnswer])
def list_users(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """List all users, by name; for administrators of the Hub."""
    caller.administrator()
    after = read_name_cursor(cursor)
    count = page_of(hub, limit)
    with hub.database.read() as session:
        found = users.list_users(session, after=after, limit=count + 1)
    shown = [UserAnswer.model_validate(user).model_dump(mode="json", by_alias=True) for user in found[:count]]
    return page_response(request, base, shown, key_of(found[count - 1].name) if len(found) > count else None)


def read_name_cursor(cursor: str | None) -> str:
    """Return after which folded name a page begins.

    Raises:
        BadRequest: the cursor was not made by us.
    """
    after = read_cursor(cursor)
    if not accounts.is_findable(after):
        raise BadRequest("The cursor is not one of this Hub. Begin the listing again.")
    return after


@router.post("/api/users", status_code=201)
def create_user(request: Request, hub: CurrentHub, caller: CurrentCaller, body: NewUser) -> UserAnswer:
    """Create a user; for administrators, and for everybody where the Hub allows registration."""
    if hub.settings.allow_registration and not caller.is_admin:
        return _register(request, hub, caller, body)
    caller.administrator()
    caller.writer()
    with hub.password_checks.slot():
        password_hash = hash_password(body.password) if body.password is not None else None
    with hub.database.write() as session:
        account = accounts.create_user(
            session,
            body.name,
            password_hash=password_hash,
            email=body.email,
            full_name=body.full_name,
            is_admin=body.is_admin,
        )
        return UserAnswer.model_validate(users.user_details(session, account.name))


def _register(request: Request, hub: Hub, caller: Caller, body: NewUser) -> UserAnswer:
    if body.is_admin:
        caller.administrator()
    if body.password is None:
        raise BadRequest("Choose a password.")
    users.register(
        hub, body.name, body.password, email=body.email, full_name=body.full_name, address=address_of(request)
    )
    with hub.database.read() as session:
        return UserAnswer.model_validate(users.user_details(session, body.name))


@router.get("/api/users/{user}")
def details(hub: CurrentHub, caller: CurrentCaller, user: Segment) -> UserAnswer:
    """Tell an administrator, or the user, about a user."""
    _check_self_or_administrator(caller, user)
    with hub.database.read() as session:
        return UserAnswer.model_validate(users.user_details(session, user))


@router.patch("/api/users/{user}")
def change_user(hub: CurrentHub, caller: CurrentCaller, user: Segment, body: UserUpdate) -> UserAnswer:
    """Change a user: their own details; administrators also disable users and make administrators."""
    caller.writer()
    _check_self_or_administrator(caller, user)
    if body.is_admin is not None or body.disabled is not None:
        caller.administrator()
    with hub.database.write() as session:
        changed = users.change_user(session, user, users.UserChanges(**body.model_dump()))
    return UserAnswer.model_validate(changed)


@router.put("/api/users/{user}/password")
def change_password(
    request: Request, hub: CurrentHub, caller: CurrentCaller, user: Segment, body: PasswordChange
) -> Voided:
    """Change one's own password, giving the current one; administrators set anybody else's.

    It ends all browser sessions and device logins of the user, and the access tokens if ``revokeTokens``.
    """
    caller.writer()
    if key_of(user) == key_of(caller.name):
        address = address_of(request)
        ended = users.change_password(
            hub, caller, body.current or "", body.password, address=address, revoke_tokens=body.revoke_tokens
        )
    else:
        caller.administrator()
        ended = _set_password(hub, user, body)
    kept = "Access tokens have ended, too." if body.revoke_tokens else "Access tokens stay valid."
    return Voided(
        ended=ended, message=f"The password was changed; {ended} sessions and logins have ended. {kept}"
    )


def _set_password(hub: Hub, user: str, body: PasswordChange) -> int:
    with hub.password_checks.slot():
        password_hash = hash_password(body.password)
    with hub.database.write() as session:
        user_id = accounts.find_user(session, user).id
        return users.set_password(session, user_id, password_hash, revoke_tokens=body.revoke_tokens)


def _check_self_or_administrator(caller: Caller, user: str) -> None:
    caller.known()
    if key_of(user) != key_of(caller.name) and not caller.is_admin:
        raise Forbidden("Only administrators of this Hub may do this to somebody else.")
