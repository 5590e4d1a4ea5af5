"""What a signed upload URL or a Xet token stands for, and whether it still holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Repository, Token, now
from pytupli_registry.server.errors import NotAuthenticated, RepoNotFound
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.permissions import ANONYMOUS, Action, Caller

__all__ = ["UploadGrant", "check_reader"]


@dataclass(frozen=True, slots=True)
class UploadGrant:
    """Somebody may upload content for a repository.

    Attributes:
        repository_id: the repository.
        user_id: who uploads.
        token_id: the access token that it was given for, None for a browser session.
    """

    repository_id: int
    user_id: int
    token_id: int | None

    @classmethod
    def of(cls, caller: Caller, repository: Repository) -> Self:
        """Return the grant of a caller whose permission was checked.

        Raises:
            NotAuthenticated, Forbidden: nobody is logged in, or by a token that may only read.
        """
        return cls(repository.id, caller.writer(), caller.token_id)

    @classmethod
    def from_signed(cls, said: dict[str, Any]) -> Self:
        """Return the grant in what :meth:`signed` gave."""
        return cls(said["r"], said["u"], said["t"])

    def signed(self) -> dict[str, Any]:
        """Return what to sign."""
        return {"r": self.repository_id, "u": self.user_id, "t": self.token_id}

    def check(self, session: Session) -> Caller:
        """Return the uploader, as of now: a revoked token or a lost role ends the grant at once.

        Raises:
            NotAuthenticated: the token was revoked or has expired, or the user is disabled.
            RepoNotFound: the repository is gone, or hidden from the user by now.
            Forbidden: the user may no longer upload to it.
        """
        return _checked(session, self.repository_id, self.user_id, self.token_id, Action.PROPOSE)


def check_reader(session: Session, repository_id: int, user_id: int | None, token_id: int | None) -> None:
    """Raise unless whoever was given a download's URL may read the repository's files, as of now.

    Raises:
        NotAuthenticated, RepoNotFound, GatedRepo: as :meth:`UploadGrant.check`, and where the files are gated.
    """
    _checked(session, repository_id, user_id, token_id, Action.READ)


def _checked(
    session: Session, repository_id: int, user_id: int | None, token_id: int | None, action: Action
) -> Caller:
    caller = ANONYMOUS
    if user_id is not None:
        caller = caller_of_user(session, user_id, writes=_token_writes(session, user_id, token_id))
    repository = session.get(Repository, repository_id)
    if repository is None:
        raise RepoNotFound("The repository of this link was deleted.")
    repositories.check(session, caller, repository, action)
    return caller


def _token_writes(session: Session, user_id: int, token_id: int | None) -> bool:
    if token_id is None:
        return True
    role = session.scalar(
        select(Token.role).where(
            Token.id == token_id,
            Token.user_id == user_id,
            or_(Token.expires_at.is_(None), Token.expires_at > now()),
        )
    )
    if role is None:
        raise NotAuthenticated("The access token of this link was revoked or has expired.")
    return role == "write"
