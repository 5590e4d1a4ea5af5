"""Bodies of our own interface for administration: users, tokens, organizations. The Hub's protocol has none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

from pytupli_registry.server.wire.texts import EmailAddress, Line, Prose

__all__ = [
    "MemberRole",
    "NewOrganization",
    "NewToken",
    "NewUser",
    "OrganizationAnswer",
    "OrganizationUpdate",
    "PasswordChange",
    "TokenAnswer",
    "TokenCreated",
    "UserAnswer",
    "UserUpdate",
    "Voided",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=96)]
Password = Annotated[str, StringConstraints(max_length=1024)]
Time = Annotated[
    datetime,
    PlainSerializer(
        lambda time: time.isoformat(timespec="milliseconds").replace("+00:00", "Z"), return_type=str
    ),
]
Visibility = Literal["public", "private"]
RoleName = Literal["read", "contributor", "write", "admin"]


class _Said(BaseModel):
    """What clients send: a key that we do not know is a mistake, not a detail."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class NewUser(_Said):
    """A user that is to be created; without a password nobody can log in by one."""

    name: Name
    password: Password | None = None
    email: EmailAddress | None = None
    full_name: Line = ""
    is_admin: bool = False


class UserUpdate(_Said):
    """What shall change of a user; what is left out stays."""

    full_name: Line | None = None
    details: Prose | None = None
    email: EmailAddress | Literal[""] | None = None
    is_admin: bool | None = None
    disabled: bool | None = None


class UserAnswer(_Answer):
    """A user, to administrators and to the user."""

    name: str
    full_name: str
    email: str | None
    is_admin: bool
    is_disabled: bool
    has_password: bool
    created_at: Time


class PasswordChange(_Said):
    """A new password; ``current`` is needed for one's own."""

    password: Password
    current: Password | None = None
    revoke_tokens: bool = False


class Voided(_Answer):
    """How many sessions, logins and tokens have ended, and what that means for the user."""

    ended: int
    message: str


class NewToken(_Said):
    """A token that is to be created; ``password`` takes the place of a token in the header."""

    name: Name
    role: Literal["read", "write"] = "write"
    expires_at: AwareDatetime | None = None
    password: Password | None = None


class TokenAnswer(_Answer):
    """A token, as its user knows it; ``kind`` is ``personal``, ``login`` (of a device) or ``session`` (of a browser)."""

    name: str
    role: str
    kind: str
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None


class TokenCreated(_Answer):
    """The text of a new token, which is shown only now."""

    name: str
    role: str
    token: str
    expires_at: Time | None


class NewOrganization(_Said):
    """An organization that is to be created; its creator is its first admin."""

    name: Name
    full_name: Line = ""
    default_visibility: Visibility = "private"
    members_public: bool = False


class OrganizationUpdate(_Said):
    """What shall change of an organization; what is left out stays."""

    full_name: Line | None = None
    details: Prose | None = None
    default_visibility: Visibility | None = None
    members_public: bool | None = None


class OrganizationAnswer(_Answer):
    """An organization, to those who may know its members; ``role`` is the caller's own."""

    name: str
    full_name: str
    details: str
    default_visibility: str
    members_public: bool
    role: str | None
    created_at: Time


class MemberRole(_Said):
    """The role that a member shall have."""

    role: RoleName
