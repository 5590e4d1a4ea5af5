"""Access tokens: making, listing and revoking them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import CurrentCaller, CurrentHub, Segment, address_of
from pytupli_registry.server.errors import Forbidden
from pytupli_registry.server.services import tokens
from pytupli_registry.server.services.accounts import find_user
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.sessions import prove
from pytupli_registry.server.wire.administration import NewToken, TokenAnswer, TokenCreated
from pytupli_registry.server.wire.names import key_of

router = APIRouter(tags=["tokens"])


@router.post("/api/users/{user}/tokens", status_code=201)
def create_token(
    request: Request, hub: CurrentHub, caller: CurrentCaller, user: Segment, body: NewToken
) -> TokenCreated:
    """Create a token of one's own, shown only this once; ``password`` takes the place of a token in the header.

    What a token makes does not live longer than the token itself.
    """
    proof = None
    if body.password is not None:
        proof = prove(hub, user, body.password, address_of(request))
    else:
        _check_self(caller, user)
    with hub.database.write() as session:
        if proof is not None:
            proof.check(session)
        else:
            tokens.check_lifetime(session, caller, body.expires_at)
        user_id = proof.user_id if proof is not None else caller.writer()
        text = tokens.create_token(session, user_id, body.name, role=body.role, expires_at=body.expires_at)
    return TokenCreated(name=body.name, role=body.role, token=text, expires_at=body.expires_at)


def _check_self(caller: Caller, user: str) -> None:
    caller.writer()
    if key_of(user) != key_of(caller.name):
        raise Forbidden("Tokens are made by those who use them: log in as that user.")


@router.get("/api/users/{user}/tokens")
def list_tokens(hub: CurrentHub, caller: CurrentCaller, user: Segment) -> list[TokenAnswer]:
    """List one's own tokens, device logins and browser sessions; administrators list anybody's."""
    caller.known()
    _check_own_or_administrator(caller, user)
    with hub.database.read() as session:
        listed = tokens.list_tokens(session, find_user(session, user).id)
        return [TokenAnswer.model_validate(token) for token in listed]


@router.delete("/api/users/{user}/tokens/{token}", status_code=204)
def revoke_token(hub: CurrentHub, caller: CurrentCaller, user: Segment, token: Segment) -> Response:
    """Revoke one's own token, login or session by its name; administrators revoke anybody's. It is void at once."""
    caller.writer()
    _check_own_or_administrator(caller, user)
    with hub.database.write() as session:
        tokens.revoke_token(session, find_user(session, user).id, token)
    return Response(status_code=204)


def _check_own_or_administrator(caller: Caller, user: str) -> None:
    if key_of(user) != key_of(caller.name) and not caller.is_admin:
        raise Forbidden("Only administrators of this Hub may do this to somebody else.")
