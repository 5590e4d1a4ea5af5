"""Users, tokens and organizations of a Hub of ours: what the Hub's own protocol has no calls for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from pytupli_registry.errors import HubError
from pytupli_registry.hub.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Administration", "Member", "Organization", "Role", "Token", "User"]

Role = Literal["read", "contributor", "write", "admin"]
Visibility = Literal["public", "private"]


@dataclass(frozen=True, slots=True)
class User:
    """A user, as administrators and the user see it."""

    name: str
    full_name: str
    email: str | None
    is_admin: bool
    is_disabled: bool
    has_password: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its text; ``kind`` is ``personal``, ``login`` (of a device) or ``session`` (of a browser)."""

    name: str
    role: str
    kind: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization; ``role`` is one's own in it, None for outsiders."""

    name: str
    full_name: str
    default_visibility: str
    members_public: bool
    role: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an organization."""

    name: str
    full_name: str
    role: str
    is_disabled: bool
    since: datetime


class Administration:
    """Looks after a Hub; every method raises HubError if the Hub refuses, HubUnreachable if there is none.

    Args:
        endpoint: URL of the Hub; None takes it from ``HF_ENDPOINT``.
        token: None takes the one that ``hf auth login`` or ``HF_TOKEN`` gives; False sends none.
    """

    def __init__(self, endpoint: str | None = None, token: str | bool | None = None) -> None:
        self._hub = Connection(endpoint, token)

    def name(self) -> str:
        """Return who one is."""
        return str(self._hub.request("GET", "/api/whoami-v2")["name"])

    # Organizations

    def organizations(self, *, everything: bool = False) -> list[Organization]:
        """Return one's organizations; all that one may know of if ``everything``."""
        path = "/api/organizations?all=true" if everything else "/api/organizations"
        return [_organization(said) for said in self._hub.request("GET", path)]

    def organization(self, name: str) -> Organization:
        """Return an organization."""
        return _organization(self._hub.request("GET", f"/api/organizations/{_in_path(name)}"))

    def create_organization(
        self,
        name: str,
        *,
        full_name: str = "",
        default_visibility: Visibility = "private",
        members_public: bool = False,
    ) -> Organization:
        """Create an organization, and become its first admin."""
        body = {
            "name": name,
            "fullName": full_name,
            "defaultVisibility": default_visibility,
            "membersPublic": members_public,
        }
        return _organization(self._hub.request("POST", "/api/organizations", body))

    def change_organization(
        self,
        name: str,
        *,
        full_name: str | None = None,
        default_visibility: Visibility | None = None,
        members_public: bool | None = None,
    ) -> Organization:
        """Change an organization's settings; None leaves one as it is."""
        body = {
            "fullName": full_name,
            "defaultVisibility": default_visibility,
            "membersPublic": members_public,
        }
        path = f"/api/organizations/{_in_path(name)}"
        return _organization(self._hub.request("PATCH", path, _given(body)))

    def delete_organization(self, name: str) -> None:
        """Delete an organization that has no repositories."""
        self._hub.request("DELETE", f"/api/organizations/{_in_path(name)}")

    def members(self, organization: str) -> list[Member]:
        """Return the members of an organization, by name."""
        return [
            Member(said["user"], said["fullname"], said["role"], said["isDisabled"], _time(said["since"]))
            for said in self._hub.pages(f"/api/organizations/{_in_path(organization)}/members")
        ]

    def set_role(self, organization: str, user: str, role: Role) -> None:
        """Make a user a member, or give a member another role."""
        self._hub.request("PUT", _member(organization, user), {"role": role})

    def remove_member(self, organization: str, user: str) -> None:
        """Take a member out of an organization."""
        self._hub.request("DELETE", _member(organization, user))

    # Tokens

    def tokens(self, user: str | None = None) -> list[Token]:
        """Return one's own tokens, newest first; administrators see those of any ``user``."""
        path = f"/api/users/{_in_path(user or self.name())}/tokens"
        return [
            Token(
                said["name"],
                said["role"],
                said["kind"],
                _time(said["createdAt"]),
                _maybe_time(said["expiresAt"]),
                _maybe_time(said["lastUsedAt"]),
            )
            for said in self._hub.request("GET", path)
        ]

    def create_token(
        self,
        name: str,
        *,
        role: Literal["read", "write"] = "write",
        expires_at: datetime | None = None,
        user: str | None = None,
        password: str | None = None,
    ) -> str:
        """Create a token and return its text, which is not shown again.

        Args:
            name: by which it is known.
            role: what it may do.
            expires_at: None for never; what a token makes may not outlive it.
            user: whose it is; oneself unless given.
            password: of ``user``; takes the place of a token.
        """
        body = {
            "name": name,
            "role": role,
            "expiresAt": None if expires_at is None else expires_at.isoformat(),
            "password": password,
        }
        path = f"/api/users/{_in_path(user or self.name())}/tokens"
        return str(self._hub.request("POST", path, _given(body))["token"])

    def revoke_token(self, name: str, user: str | None = None) -> None:
        """Make a token void at once; administrators do so for any ``user``."""
        self._hub.request("DELETE", f"/api/users/{_in_path(user or self.name())}/tokens/{_in_path(name)}")

    # Users

    def users(self) -> list[User]:
        """Return all users, by name; for administrators."""
        return [_user(said) for said in self._hub.pages("/api/users")]

    def create_user(
        self,
        name: str,
        *,
        password: str | None = None,
        email: str | None = None,
        full_name: str = "",
        is_admin: bool = False,
    ) -> User:
        """Create a user; without a password one cannot log in by it."""
        body = {
            "name": name,
            "password": password,
            "email": email,
            "fullName": full_name,
            "isAdmin": is_admin,
        }
        return _user(self._hub.request("POST", "/api/users", _given(body)))

    def change_user(
        self,
        name: str,
        *,
        full_name: str | None = None,
        email: str | None = None,
        is_admin: bool | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change a user; None leaves a detail as it is."""
        body = {"fullName": full_name, "email": email, "isAdmin": is_admin, "disabled": disabled}
        return _user(self._hub.request("PATCH", f"/api/users/{_in_path(name)}", _given(body)))

    def set_password(
        self, user: str, password: str, *, current: str | None = None, revoke_tokens: bool = False
    ) -> str:
        """Give a user a password and return what that has ended.

        Args:
            user: whose.
            password: the new one.
            current: needed for one's own.
            revoke_tokens: end the user's access tokens, too.
        """
        body = {"password": password, "current": current, "revokeTokens": revoke_tokens}
        said = self._hub.request("PUT", f"/api/users/{_in_path(user)}/password", _given(body))
        return str(said["message"])


def _given(body: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in body.items() if value is not None}


def _in_path(name: str) -> str:
    if name in ("", ".", ".."):  # libraries would tidy such a path up, and ask for something else
        raise HubError(f"{name!r} is not a name.")
    return quote(name, safe="")


def _member(organization: str, user: str) -> str:
    return f"/api/organizations/{_in_path(organization)}/members/{_in_path(user)}"


def _organization(said: Mapping[str, Any]) -> Organization:
    return Organization(
        said["name"],
        said["fullName"],
        said["defaultVisibility"],
        said["membersPublic"],
        said["role"],
        _time(said["createdAt"]),
    )


def _user(said: Mapping[str, Any]) -> User:
    return User(
        said["name"],
        said["fullName"],
        said["email"],
        said["isAdmin"],
        said["isDisabled"],
        said["hasPassword"],
        _time(said["createdAt"]),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
