"""Discussions and pull requests."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, BaseModel, Field

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, RepoOf, Segment
from pytupli_registry.server.errors import GatedRepo
from pytupli_registry.server.routes.answers import truth
from pytupli_registry.server.routes.discussion_json import details_json, discussion_json, event_json
from pytupli_registry.server.services import discussions, pull_requests
from pytupli_registry.server.services.diffs import diff_text
from pytupli_registry.server.services.participation import taking_part
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import check_gate, find
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH
from pytupli_registry.server.wire.texts import check_line, check_prose

router = APIRouter(tags=["discussions"])

LONGEST_PAGE = 50
Number = Annotated[int, Path(ge=1, lt=1 << 31)]
Text = Annotated[str, Field(max_length=100_000), AfterValidator(check_prose)]
Word = Annotated[str, Query(max_length=200), AfterValidator(check_line)]
PLACE = "/api/{family}/{namespace}/{name}/discussions"


class NewDiscussion(BaseModel):
    """A discussion, or a pull request without commits yet."""

    title: Text
    description: Text = ""
    pull_request: bool = Field(default=False, alias="pullRequest")


class NewComment(BaseModel):
    """A comment."""

    comment: Text


class NewTitle(BaseModel):
    """Another title."""

    title: Text


class NewStatus(BaseModel):
    """Another status, and a comment to go with it."""

    status: Text
    comment: Text | None = None


class Merge(BaseModel):
    """A comment to go with a merge."""

    comment: Text | None = None


class EditedComment(BaseModel):
    """A comment's new text."""

    content: Text


@router.get(PLACE)
def list_discussions(
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    repo_id: RepoOf,
    type: Word = "all",  # noqa: A002 - the protocol's word
    status: Word = "all",
    author: Word | None = None,
    p: Annotated[int, Query(ge=0, lt=1 << 20)] = 0,
) -> dict[str, Any]:
    """List a page of discussions, newest first."""
    count = min(hub.settings.page_size, LONGEST_PAGE)
    search = discussions.Search(type, status, author)
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.SEE)
        found, total = discussions.list_discussions(
            session, repository.id, search, start=p * count, count=count
        )
        comments = discussions.count_comments(session, repository.id, [one.number for one in found])
        shown = [
            discussion_json(repository, one, base, comments=comments.get(one.number, 0)) for one in found
        ]
    return {"discussions": shown, "count": total, "start": p * count}


@router.post(PLACE)
def create_discussion(
    hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, repo_id: RepoOf, body: NewDiscussion
) -> dict[str, Any]:
    """Start a discussion, or a pull request (as a draft) from the head of ``main``."""
    action = Action.PROPOSE if body.pull_request else Action.DISCUSS
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, action)
        if body.pull_request:
            number = pull_requests.open_pull_request(
                session, hub, repository, caller, body.title, body.description, DEFAULT_BRANCH, draft=True
            )
        else:
            number = discussions.start(session, repository, caller, body.title, body.description).number
        name = repository.full_name
    return {
        "num": number,
        "url": f"{base}/{repo_id.type.prefix}{name}/discussions/{number}",
        "pullRequest": body.pull_request,
    }


@router.get(PLACE + "/{number}")
def discussion_details(
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    repo_id: RepoOf,
    number: Number,
    diff: str | None = None,
) -> dict[str, Any]:
    """Tell all about a discussion; with ``diff`` also what a pull request changes, to those who may read files."""
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.SEE)
        discussion = discussions.find_discussion(session, repository, number)
        proposal = text = None
        if discussion.is_pull_request:
            proposal = pull_requests.proposal_of(session, hub, discussion)
            try:
                check_gate(session, caller, repository)
                text = diff_text(session, proposal.changes.values()) if truth(diff) else None
            except GatedRepo:
                text = None
        events = discussions.events_of(session, discussion)
        return details_json(repository, discussion, events, base, proposal=proposal, diff=text)


@router.post(PLACE + "/{number}/comment")
def comment(
    hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, repo_id: RepoOf, number: Number, body: NewComment
) -> dict[str, Any]:
    """Add a comment."""
    with taking_part(hub, caller, repo_id, number) as participant:
        event = participant.comment(body.comment)
        return {"newMessage": event_json(event, base)}


@router.post(PLACE + "/{number}/title")
def rename(
    hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, repo_id: RepoOf, number: Number, body: NewTitle
) -> dict[str, Any]:
    """Change the title."""
    with taking_part(hub, caller, repo_id, number) as participant:
        event = participant.rename(body.title)
        return {"newTitle": event_json(event, base)}


@router.post(PLACE + "/{number}/status")
def change_status(
    hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, repo_id: RepoOf, number: Number, body: NewStatus
) -> dict[str, Any]:
    """Close, open again, or publish a draft."""
    with taking_part(hub, caller, repo_id, number) as participant:
        if body.comment and body.comment.strip():
            participant.comment(body.comment)
        event = participant.change_status(body.status)
        return {"newStatus": event_json(event, base)}


@router.post(PLACE + "/{number}/merge")
def merge(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, number: Number, body: Merge | None = None
) -> dict[str, Any]:
    """Merge a pull request: one commit on the branch that it wants to change."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.WRITE)
        text = (body.comment if body else None) or ""
        merged = pull_requests.merge(session, hub, repository, caller, number, text)
        return {"success": True, "mergeCommitId": merged.merge_oid}


@router.post(PLACE + "/{number}/comment/{comment_id}/edit")
def edit_comment(
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    repo_id: RepoOf,
    number: Number,
    comment_id: Segment,
    body: EditedComment,
) -> dict[str, Any]:
    """Replace the text of one's own comment."""
    with taking_part(hub, caller, repo_id, number) as participant:
        event = participant.edit_comment(comment_id, body.content)
        return {"updatedComment": event_json(event, base)}


@router.post(PLACE + "/{number}/comment/{comment_id}/hide")
def hide_comment(
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    repo_id: RepoOf,
    number: Number,
    comment_id: Segment,
) -> dict[str, Any]:
    """Take a comment's text away for good."""
    with taking_part(hub, caller, repo_id, number) as participant:
        event = participant.hide_comment(comment_id)
        return {"updatedComment": event_json(event, base)}
