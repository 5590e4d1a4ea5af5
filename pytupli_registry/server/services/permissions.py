"""Who may do what: two tables, asked by every service.

A caller has one *standing* towards a repository or an organization. One table says which actions a standing
allows, for a public and for a private repository; the other does so for organizations, by how much of them
outsiders may know. A read token takes away everything that changes something, and a gate (access on request)
takes away the files of those who have not been let in.

What comes later fits in here: a custom role is another way to a standing, or a set of actions of its own; a
partner's grant is a standing towards one repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pytupli_registry.server.errors import Forbidden, NotAuthenticated

__all__ = [
    "ALLOWED",
    "ALLOWED_IN_ORGANIZATION",
    "ANONYMOUS",
    "Action",
    "Caller",
    "Exposure",
    "OrganizationAction",
    "Ownership",
    "Role",
    "Standing",
    "allows",
    "allows_in_organization",
    "readable_owners",
    "standing_in",
    "standing_of",
]


class Role(StrEnum):
    """A member's role in an organization, weakest first."""

    READ = "read"
    CONTRIBUTOR = "contributor"
    WRITE = "write"
    ADMIN = "admin"


class Action(StrEnum):
    """What can be done to a repository."""

    SEE = "see"
    """Know that it exists, its listings and history."""
    READ = "read"
    """Its files."""
    DISCUSS = "discuss"
    """Open and comment discussions, like it."""
    PROPOSE = "propose"
    """Open pull requests and upload for them."""
    WRITE = "write"
    """Commit, branch, tag, merge."""
    ADMINISTER = "administer"
    """Settings, access requests, moving, deleting, rewriting history."""


class Standing(StrEnum):
    """What a caller is to a repository."""

    NOBODY = "nobody"
    """Not logged in."""
    STRANGER = "stranger"
    """Logged in, without any relation."""
    READER = "reader"
    CONTRIBUTOR = "contributor"
    """A contributor of the organization, but not of this repository."""
    CREATOR = "creator"
    """The contributor who created it."""
    WRITER = "writer"
    OWNER = "owner"
    """The user it belongs to, or an admin of its organization, or an administrator of the Hub."""


_READS = frozenset({Action.SEE, Action.READ})
_TAKES_PART = _READS | {Action.DISCUSS, Action.PROPOSE}
_WRITES = _TAKES_PART | {Action.WRITE}
_ALL = frozenset(Action)
_NONE: frozenset[Action] = frozenset()

ALLOWED: Mapping[tuple[Standing, str], frozenset[Action]] = {
    (Standing.NOBODY, "public"): _READS,
    (Standing.NOBODY, "private"): _NONE,
    (Standing.STRANGER, "public"): _TAKES_PART,
    (Standing.STRANGER, "private"): _NONE,
    (Standing.READER, "public"): _TAKES_PART,
    (Standing.READER, "private"): _TAKES_PART,
    (Standing.CONTRIBUTOR, "public"): _TAKES_PART,
    (Standing.CONTRIBUTOR, "private"): _TAKES_PART,
    (Standing.CREATOR, "public"): _ALL,
    (Standing.CREATOR, "private"): _ALL,
    (Standing.WRITER, "public"): _WRITES,
    (Standing.WRITER, "private"): _WRITES,
    (Standing.OWNER, "public"): _ALL,
    (Standing.OWNER, "private"): _ALL,
}


STANDINGS: Mapping[Role, Standing] = {
    Role.READ: Standing.READER,
    Role.CONTRIBUTOR: Standing.CONTRIBUTOR,
    Role.WRITE: Standing.WRITER,
    Role.ADMIN: Standing.OWNER,
}


class OrganizationAction(StrEnum):
    """What can be done to an organization."""

    SEE = "see"
    """Know that it exists."""
    LIST = "list"
    """Know who belongs to it."""
    CREATE = "create repositories in"
    ADMINISTER = "administer"
    """Its settings, its members, deleting it."""


class Exposure(StrEnum):
    """How much of an organization those who do not belong to it may know."""

    HIDDEN = "hidden"
    """Nothing: its members are private, and so are all of its repositories."""
    NAMED = "named"
    """Its name, for it has a public repository."""
    OPEN = "open"
    """Its members are public."""


_KNOWS = frozenset({OrganizationAction.SEE, OrganizationAction.LIST})
_CREATES = _KNOWS | {OrganizationAction.CREATE}
_OUTSIDE: Mapping[Exposure, frozenset[OrganizationAction]] = {
    Exposure.HIDDEN: frozenset(),
    Exposure.NAMED: frozenset({OrganizationAction.SEE}),
    Exposure.OPEN: _KNOWS,
}
_INSIDE: Mapping[Standing, frozenset[OrganizationAction]] = {
    Standing.READER: _KNOWS,
    Standing.CONTRIBUTOR: _CREATES,
    Standing.WRITER: _CREATES,
    Standing.OWNER: frozenset(OrganizationAction),
}

ALLOWED_IN_ORGANIZATION: Mapping[tuple[Standing, Exposure], frozenset[OrganizationAction]] = {
    **{(outsider, exposure): _OUTSIDE[exposure]
       for outsider in (Standing.NOBODY, Standing.STRANGER) for exposure in Exposure},
    **{(member, exposure): allowed for member, allowed in _INSIDE.items() for exposure in Exposure},
}  # fmt: skip

PASSES_GATES = frozenset({Standing.CREATOR, Standing.WRITER, Standing.OWNER})
MAY_CREATE = frozenset({Role.CONTRIBUTOR, Role.WRITE, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request.

    Attributes:
        user_id: None for nobody.
        name: the account's name, "" for nobody.
        writes: whether the token may change anything.
        is_admin: an administrator of the Hub.
        roles: role by organization id.
        token_id: the token that was used (a browser's session is one, too), None for an administrator's command.
        expires_at: when that token ends, None for never.
    """

    user_id: int | None = None
    name: str = ""
    writes: bool = False
    is_admin: bool = False
    roles: Mapping[int, Role] = field(default_factory=dict)
    token_id: int | None = None
    expires_at: datetime | None = None

    @property
    def is_known(self) -> bool:
        """Whether somebody is logged in."""
        return self.user_id is not None

    def known(self) -> int:
        """Return the user's id.

        Raises:
            NotAuthenticated: nobody is logged in.
        """
        if self.user_id is None:
            raise NotAuthenticated("Log in first: this needs an access token.")
        return self.user_id

    def writer(self) -> int:
        """Return the user's id, if the token may change things.

        Raises:
            NotAuthenticated: nobody is logged in.
            Forbidden: the token may only read.
        """
        user_id = self.known()
        if not self.writes:
            raise Forbidden("This access token may only read. Use one with the role 'write'.")
        return user_id

    def administrator(self) -> int:
        """Return the user's id, if it is an administrator of the Hub.

        Raises:
            NotAuthenticated: nobody is logged in.
            Forbidden: somebody else is.
        """
        user_id = self.known()
        if not self.is_admin:
            raise Forbidden("Only administrators of this Hub may do this.")
        return user_id


ANONYMOUS = Caller()


@dataclass(frozen=True, slots=True)
class Ownership:
    """What of a repository matters for access."""

    owner_id: int
    visibility: str
    created_by: int | None


def standing_of(caller: Caller, repository: Ownership) -> Standing:
    """Return what ``caller`` is to a repository."""
    standing = standing_in(caller, repository.owner_id)
    if standing is Standing.CONTRIBUTOR and repository.created_by == caller.user_id:
        return Standing.CREATOR
    return standing


def standing_in(caller: Caller, owner_id: int) -> Standing:
    """Return what ``caller`` is to a user's or an organization's namespace."""
    if caller.user_id is None:
        return Standing.NOBODY
    if caller.is_admin or caller.user_id == owner_id:
        return Standing.OWNER
    role = caller.roles.get(owner_id)
    return Standing.STRANGER if role is None else STANDINGS[role]


def allows(caller: Caller, repository: Ownership, action: Action) -> bool:
    """Return whether ``caller`` may do ``action``, gates aside."""
    if action not in _READS and not caller.writes:
        return False
    return action in ALLOWED[standing_of(caller, repository), repository.visibility]


def allows_in_organization(
    caller: Caller, organization_id: int, exposure: Exposure, action: OrganizationAction
) -> bool:
    """Return whether ``caller`` may do ``action`` to an organization of that exposure."""
    if action not in _KNOWS and not caller.writes:
        return False
    return action in ALLOWED_IN_ORGANIZATION[standing_in(caller, organization_id), exposure]


def readable_owners(caller: Caller) -> tuple[int, ...]:
    """Return the accounts whose private repositories ``caller`` may see; administrators see those of all."""
    if caller.user_id is None:
        return ()
    organizations = (
        owner for owner, role in caller.roles.items() if Action.SEE in ALLOWED[STANDINGS[role], "private"]
    )
    return (caller.user_id, *organizations)
