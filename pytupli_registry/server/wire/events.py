"""What webhooks are sent: version 3 of the Hub's payload (hf.co/docs/hub/webhooks, "Webhook Payload").

URLs are written as paths; whoever sends a payload puts in front what its receiver calls the Hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytupli_registry.server.wire.names import RepoType

__all__ = ["MovedTo", "UpdatedRef", "comment_of", "discussion_of", "object_id", "repo_of"]


def object_id(number: int) -> str:
    """Return a row's number in the form of the Hub's own ids: 24 hexadecimal digits."""
    return f"{number:024x}"


@dataclass(frozen=True, slots=True)
class UpdatedRef:
    """A ref that moved; None where there was, or is, none."""

    name: str
    old_oid: str | None
    new_oid: str | None

    def shown(self) -> dict[str, str | None]:
        """Return the member of ``updatedRefs``."""
        return {"ref": self.name, "oldSha": self.old_oid, "newSha": self.new_oid}


@dataclass(frozen=True, slots=True)
class MovedTo:
    """The new name of a repository."""

    name: str
    owner_id: int

    def shown(self) -> dict[str, Any]:
        """Return the member ``movedTo``."""
        return {"name": self.name, "owner": {"id": object_id(self.owner_id)}}


def repo_of(*, id_: int, type_: str, name: str, private: bool, owner_id: int) -> dict[str, Any]:
    """Return the member ``repo``."""
    kind = RepoType(type_)
    return {
        "type": type_,
        "name": name,
        "id": object_id(id_),
        "private": private,
        "url": {"web": f"/{kind.prefix}{name}", "api": f"/api/{kind.plural}/{name}"},
        "owner": {"id": object_id(owner_id)},
    }


def discussion_of(
    *,
    repo_type: str,
    repo_name: str,
    number: int,
    title: str,
    status: str,
    author_id: int | None,
    is_pull_request: bool,
) -> dict[str, Any]:
    """Return the member ``discussion``."""
    kind = RepoType(repo_type)
    place = f"{repo_name}/discussions/{number}"
    return {
        "id": f"{repo_name}#{number}",
        "num": number,
        "title": title,
        "status": status,
        "isPullRequest": is_pull_request,
        "author": {"id": object_id(author_id or 0)},
        "url": {"web": f"/{kind.prefix}{place}", "api": f"/api/{kind.plural}/{place}"},
    }


def comment_of(
    discussion: dict[str, Any], *, id_: str, author_id: int | None, content: str, hidden: bool
) -> dict[str, Any]:
    """Return the member ``comment``; a hidden one says nothing."""
    shown: dict[str, Any] = {
        "id": id_,
        "author": {"id": object_id(author_id or 0)},
        "hidden": hidden,
        "url": {"web": f"{discussion['url']['web']}#{id_}"},
    }
    if not hidden:
        shown["content"] = content
    return shown
