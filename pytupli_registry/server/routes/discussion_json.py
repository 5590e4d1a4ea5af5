"""Discussions and their events as clients read them (``huggingface_hub/community.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from pytupli_registry.server.database.schema import Discussion, DiscussionEvent, Repository
from pytupli_registry.server.routes.answers import date_text
from pytupli_registry.server.routes.identity import avatar
from pytupli_registry.server.services.pull_requests import Proposal

__all__ = ["details_json", "discussion_json", "event_json"]


def discussion_json(
    repository: Repository, discussion: Discussion, base: str, *, comments: int
) -> dict[str, Any]:
    """Return a discussion as listings show it."""
    return {
        "num": discussion.number,
        "title": discussion.title,
        "status": discussion.status,
        "isPullRequest": discussion.is_pull_request,
        "createdAt": date_text(discussion.created_at),
        "repo": {"name": repository.full_name, "type": repository.type},
        "numComments": comments,
        "pinned": False,
        **_author(discussion.author_id, discussion.author_name, base),
    }


def details_json(
    repository: Repository,
    discussion: Discussion,
    events: Sequence[DiscussionEvent],
    base: str,
    *,
    proposal: Proposal | None,
    diff: str | None,
) -> dict[str, Any]:
    """Return a discussion with all that happened in it; of pull requests also what they would change."""
    comments = sum(event.type == "comment" for event in events)
    shown = discussion_json(repository, discussion, base, comments=comments)
    shown["events"] = [event_json(event, base) for event in events]
    if proposal is not None:
        merged = {"mergeCommitId": discussion.merge_oid} if discussion.merge_oid else {}
        shown["changes"] = {"base": discussion.base, **merged}
        shown["filesWithConflicts"] = proposal.conflicts
    if diff is not None:
        shown["diff"] = diff
    return shown


def event_json(event: DiscussionEvent, base: str) -> dict[str, Any]:
    """Return one event; a user who is gone is left out, which clients show as ``deleted``."""
    return {
        "id": event.id,
        "type": event.type,
        "createdAt": date_text(event.created_at),
        "data": _comment(event.content) if event.type == "comment" else event.content,
        **_author(event.author_id, event.author_name, base),
    }


def _author(author_id: int | None, name: str, base: str) -> dict[str, Any]:
    if author_id is None:
        return {}
    return {"author": {"name": name, "type": "user", "avatarUrl": avatar(base, "user")}}


def _comment(content: dict[str, Any]) -> dict[str, Any]:
    versions = [_version(version) for version in content["versions"]]
    return {
        "edited": content.get("edited", len(versions) > 1),
        "hidden": content["hidden"],
        "latest": versions[-1],
        "history": versions[:-1],
        "numEdits": len(versions) - 1,
        "reactions": [],
    }


def _version(version: dict[str, Any]) -> dict[str, Any]:
    paragraphs = (escape(part) for part in version["raw"].split("\n\n"))
    return {
        "raw": version["raw"],
        "html": "".join(f"<p>{part}</p>" for part in paragraphs if part),
        "updatedAt": version["at"],
        "author": {"name": version["author"]},
    }
