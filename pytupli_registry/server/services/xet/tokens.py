"""Xet write tokens: a grant in a form that clients can carry for an hour."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pytupli_registry.server.errors import Forbidden, NotAuthenticated
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.xet.epochs import xet_path

__all__ = ["WriteToken", "issue_write_token", "read_write_token"]

PURPOSE = "xet-write"


@dataclass(frozen=True, slots=True)
class WriteToken:
    """What a client needs to upload by Xet.

    Attributes:
        path: below the Hub's base URL, where Xet's routes are for this user.
        text: the token.
        expires_at: seconds since 1970.
    """

    path: str
    text: str
    expires_at: int


def issue_write_token(hub: Hub, grant: UploadGrant) -> WriteToken:
    """Return a new token for a grant that holds."""
    expires_s = hub.settings.xet_token_expires_s
    text = hub.signer.sign(PURPOSE, grant.signed(), expires_s=expires_s)
    return WriteToken(xet_path(hub, grant.user_id), text, int(time.time()) + expires_s)


def read_write_token(hub: Hub, text: str | None) -> UploadGrant:
    """Return the grant of a token; whether it still holds is asked where it is used.

    Raises:
        NotAuthenticated: there is no token, or it is not valid any more.
    """
    if text is None:
        raise NotAuthenticated("Xet's routes need the token that the Hub gives for an upload.")
    try:
        return UploadGrant.from_signed(hub.signer.read(PURPOSE, text))
    except Forbidden as error:
        raise NotAuthenticated("The token of this upload is not valid, or its time is over.") from error
