"""Branches, tags and commits of a repository."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytupli_registry.errors import HubError
from pytupli_registry.hub.connection import Connection

if TYPE_CHECKING:
    from pytupli_registry.hub.snapshots import Hub

__all__ = ["Commit", "Revisions", "create", "delete", "revisions"]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit.

    Attributes:
        commit: its id in full.
        title: what it did.
        authors: who made it.
        date: when, in ISO 8601.
    """

    commit: str
    title: str
    authors: tuple[str, ...]
    date: str


@dataclass(frozen=True, slots=True)
class Revisions:
    """What a repository can be read at.

    Attributes:
        branches: their newest commits by name.
        tags: their commits by name.
        commits: the last ones, newest first.
    """

    branches: dict[str, str]
    tags: dict[str, str]
    commits: list[Commit]


def revisions(hub: Hub, repo: str, revision: str | None = None, *, limit: int = 10) -> Revisions:
    """Return the branches and tags of a repository, and the last commits of a revision.

    Args:
        hub: where it is.
        repo: ``acme/hvac``.
        revision: whose commits; None is ``main``.
        limit: how many commits.

    Raises:
        HubError: there is no such repository or revision, or none that one may read.
        HubUnreachable: the Hub does not answer.
    """
    connection = _connection(hub)
    refs = connection.request("GET", f"/api/datasets/{_path(repo)}/refs")
    listed = connection.pages(f"/api/datasets/{_path(repo)}/commits/{quote(revision or 'main', safe='')}")
    return Revisions(
        branches=_targets(refs, "branches"),
        tags=_targets(refs, "tags"),
        commits=[_commit(said) for said in islice(listed, limit)],
    )


def create(hub: Hub, repo: str, kind: str, name: str, *, at: str | None = None, message: str = "") -> str:
    """Create a tag or a branch, and return the commit that it stands for.

    Args:
        hub: where the repository is.
        repo: ``acme/hvac``.
        kind: ``tag`` or ``branch``.
        name: of the tag or branch.
        at: the revision that it begins at; None is ``main``.
        message: of a tag.

    Raises:
        HubError: there is one of that name, or one may not.
        HubUnreachable: the Hub does not answer.
    """
    commit = hub.snapshot(repo, at).commit
    if kind == "tag":
        place, body = f"tag/{commit}", {"tag": name, "message": message}
    else:
        place, body = f"branch/{quote(_named(name), safe='')}", {"startingPoint": commit}
    _connection(hub).request("POST", f"/api/datasets/{_path(repo)}/{place}", body)
    return commit


def delete(hub: Hub, repo: str, kind: str, name: str) -> None:
    """Delete a tag or a branch; the commits of others stay.

    Raises:
        HubError: there is none, or one may not.
        HubUnreachable: the Hub does not answer.
    """
    place = f"{kind}/{quote(_named(name), safe='')}"
    _connection(hub).request("DELETE", f"/api/datasets/{_path(repo)}/{place}")


def _connection(hub: Hub) -> Connection:
    return Connection(hub.endpoint, hub.access.token or False, any_hub=True)


def _path(repo: str) -> str:
    return "/".join(quote(_named(part), safe="") for part in repo.split("/"))


def _named(name: str) -> str:
    if name in ("", ".", ".."):  # libraries would tidy such a path up, and ask for something else
        raise HubError(f"{name!r} is not a name.")
    return name


def _targets(refs: Any, kind: str) -> dict[str, str]:  # noqa: ANN401 - what a Hub answers
    try:
        return {str(ref["name"]): str(ref["targetCommit"]) for ref in refs[kind]}
    except (KeyError, TypeError) as error:
        raise HubError("What the Hub says about branches and tags cannot be understood.") from error


def _commit(said: Any) -> Commit:  # noqa: ANN401
    try:
        authors = tuple(str(author["user"]) for author in said.get("authors", []))
        return Commit(str(said["id"]), str(said["title"]), authors, str(said["date"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise HubError("What the Hub says about a commit cannot be understood.") from error
