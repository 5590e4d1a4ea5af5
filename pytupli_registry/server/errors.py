"""Every error the server raises on purpose, each with the answer the Hub's protocol gives to it.

::

    HubError                 status, X-Error-Code, message
    ├── Moved                307  it has another name now
    ├── BadRequest           400  what was sent cannot be understood or is not allowed
    ├── NotAuthenticated     401  no token, or one that is not valid
    ├── Forbidden            403  known, but not allowed
    ├── GatedRepo            403  the repository asks for access requests
    ├── NotFound             404  something else than the three below
    ├── RepoNotFound         404  no such repository, or none that the caller may see
    ├── RevisionNotFound     404  no such branch, tag or commit
    ├── EntryNotFound        404  no such path at that revision
    ├── Conflict             409  it exists already
    ├── StaleParent          412  the branch has moved on
    ├── TooLarge             413  more than the server takes
    ├── RangeNotSatisfiable  416  the range lies outside of the file
    ├── Unprocessable        422  understood, but contradictory (a hash that does not match)
    ├── TooManyRequests      429  later, please
    ├── NotImplementedHere   501  out of scope of this server
    ├── Unavailable          503  database or object store do not answer
    └── StorageFull          507  no space left

Clients tell errors apart by ``X-Error-Code``, not by status (docs/protocol.md).
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BadRequest",
    "Conflict",
    "EntryNotFound",
    "Forbidden",
    "GatedRepo",
    "HubError",
    "Moved",
    "NotAuthenticated",
    "NotFound",
    "NotImplementedHere",
    "RangeNotSatisfiable",
    "RepoNotFound",
    "RevisionNotFound",
    "StaleParent",
    "StorageFull",
    "TooLarge",
    "TooManyRequests",
    "Unavailable",
    "Unprocessable",
]


class HubError(Exception):
    """Base of every error with an answer of its own.

    Attributes:
        message: what failed, on which thing, and what to do; shown to the user by the client.
        headers: further headers of the answer (``X-Repo-Commit``, ``Content-Range``, …).
        fields: further members of the JSON body (``url`` of a repository that exists, …).
    """

    status: ClassVar[int] = 400
    code: ClassVar[str | None] = None

    def __init__(
        self, message: str, *, headers: dict[str, str] | None = None, fields: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.fields = fields or {}


class Moved(HubError):
    """The repository has another name now.

    Attributes:
        old: the id that was asked for, ``namespace/name``.
        new: its id today.
    """

    status = 307

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"Repository {old} was moved to {new}.")
        self.old = old
        self.new = new


class BadRequest(HubError):
    """What was sent cannot be understood, or is not allowed."""


class NotAuthenticated(HubError):
    """There is no token, or one that is not valid."""

    status = 401


class Forbidden(HubError):
    """The caller is known and may see the thing, but may not do this to it."""

    status = 403


class GatedRepo(HubError):
    """The files of this repository are given on request only."""

    status = 403
    code = "GatedRepo"


class NotFound(HubError):
    """There is no such thing (a user, a webhook, a discussion)."""

    status = 404


class RepoNotFound(HubError):
    """There is no such repository, or none that the caller may know of."""

    status = 404
    code = "RepoNotFound"


class RevisionNotFound(HubError):
    """The repository has no such branch, tag or commit."""

    status = 404
    code = "RevisionNotFound"


class EntryNotFound(HubError):
    """There is nothing at that path in that revision."""

    status = 404
    code = "EntryNotFound"


class Conflict(HubError):
    """Something of that name exists already."""

    status = 409


class StaleParent(HubError):
    """The branch has moved since its head was read."""

    status = 412

    def __init__(self) -> None:
        super().__init__("The branch was updated since you opened this page. Please refresh and try again.")


class TooLarge(HubError):
    """More than the server takes."""

    status = 413


class RangeNotSatisfiable(HubError):
    """The range lies outside of the file."""

    status = 416

    def __init__(self, size: int) -> None:
        super().__init__(
            f"The requested range lies outside of the file, which has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )


class Unprocessable(HubError):
    """Understood, but contradictory: a hash or a size that does not match, paths that exclude each other."""

    status = 422


class TooManyRequests(HubError):
    """The caller shall come back later; ``Retry-After`` says when, in seconds."""

    status = 429


class NotImplementedHere(HubError):
    """A part of the Hub that this server leaves out on purpose."""

    status = 501


class Unavailable(HubError):
    """The database or the object store does not answer; trying again helps."""

    status = 503


class StorageFull(HubError):
    """No space is left to store this; nothing was changed."""

    status = 507
