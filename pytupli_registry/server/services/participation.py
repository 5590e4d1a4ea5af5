"""Taking part in a discussion: comments, titles, status. What is shared with pull requests' merges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Discussion, DiscussionEvent, Repository
from pytupli_registry.server.errors import BadRequest, Conflict, Forbidden, NotFound
from pytupli_registry.server.services.discussions import (
    add_event,
    check_own_or_writer,
    checked_title,
    comment_content,
    comment_version,
    find_discussion,
    tell,
)
from pytupli_registry.server.services.permissions import Action, Caller
from pytupli_registry.server.services.repositories import find

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.wire.names import RepoId

__all__ = ["Participant", "taking_part"]

MOST_VERSIONS = 100


@contextmanager
def taking_part(hub: Hub, caller: Caller, repo_id: RepoId, number: int) -> Iterator[Participant]:
    """Let ``caller`` take part in a discussion, in one transaction that ends with the context.

    Raises:
        RepoNotFound, NotAuthenticated, Forbidden: as ``repositories.find``.
        NotFound: there is no such discussion.
    """
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.DISCUSS)
        discussion = find_discussion(session, repository, number, change=True)
        yield Participant(session, repository, discussion, caller)


@dataclass(frozen=True, slots=True)
class Participant:
    """A caller in a discussion, which is locked."""

    session: Session
    repository: Repository
    discussion: Discussion
    caller: Caller

    def comment(self, text: str) -> DiscussionEvent:
        """Add a comment.

        Raises:
            BadRequest: it is empty or too long, or there are too many.
        """
        event = add_event(
            self.session, self.discussion, self.caller, "comment", comment_content(text, self.caller)
        )
        self._tell("create", event)
        return event

    def rename(self, title: str) -> DiscussionEvent:
        """Give the discussion another title.

        Raises:
            Forbidden: the caller neither started it nor may write.
            BadRequest: a title that is too short or too long, or no other than before.
        """
        self._check_own("rename this discussion")
        old, new = self.discussion.title, checked_title(title)
        if old == new:
            raise BadRequest("The discussion has this title already.")
        self.discussion.title = new
        event = add_event(
            self.session, self.discussion, self.caller, "title-change", {"from": old, "to": new}
        )
        self._tell("update")
        return event

    def change_status(self, status: str) -> DiscussionEvent:
        """Close the discussion, open it again, or publish a draft.

        Raises:
            Forbidden: the caller neither started it nor may write.
            BadRequest: an unknown status.
            Conflict: it has this status already, or is merged.
        """
        self._check_own("change the status of this discussion")
        if status not in ("open", "closed"):
            raise BadRequest(f"The status {status[:40]!r} is unknown: use 'open' or 'closed'.")
        if self.discussion.status in (status, "merged"):
            raise Conflict(f"#{self.discussion.number} is {self.discussion.status} already.")
        self.discussion.status = status
        event = add_event(self.session, self.discussion, self.caller, "status-change", {"status": status})
        self._tell("update")
        return event

    def edit_comment(self, comment_id: str, text: str) -> DiscussionEvent:
        """Replace the text of one's own comment; the old text stays in its history.

        Raises:
            NotFound: there is no such comment.
            Forbidden: somebody else wrote it.
            Conflict: it is hidden, or was edited too often.
            BadRequest: the text is empty or too long.
        """
        event = self._find_comment(comment_id)
        if event.author_id != self.caller.writer():
            raise Forbidden("You may edit your own comments only.")
        if event.content["hidden"]:
            raise Conflict("This comment is hidden.")
        versions = event.content["versions"]
        if len(versions) >= MOST_VERSIONS:
            raise Conflict("This comment was edited too often. Write another one.")
        event.content = {"hidden": False, "versions": [*versions, comment_version(text, self.caller)]}
        self._tell("update", event)
        return event

    def hide_comment(self, comment_id: str) -> DiscussionEvent:
        """Take a comment's text away for good.

        Raises:
            NotFound: there is no such comment.
            Forbidden: the caller neither wrote it nor may write to the repository.
            Conflict: it is hidden already.
        """
        event = self._find_comment(comment_id)
        check_own_or_writer(self.repository, self.caller, event.author_id, "hide this comment")
        if event.content["hidden"]:
            raise Conflict("This comment is hidden already.")
        last = event.content["versions"][-1]
        edited = len(event.content["versions"]) > 1
        event.content = {"hidden": True, "edited": edited, "versions": [{**last, "raw": ""}]}
        self._tell("update", event)
        return event

    def _check_own(self, doing: str) -> None:
        check_own_or_writer(self.repository, self.caller, self.discussion.author_id, doing)

    def _tell(self, action: str, event: DiscussionEvent | None = None) -> None:
        self.session.flush()
        tell(self.session, self.repository, self.discussion, action, event)

    def _find_comment(self, comment_id: str) -> DiscussionEvent:
        event = self.session.get(DiscussionEvent, comment_id.lower()) if comment_id.isalnum() else None
        here = (self.discussion.repository_id, self.discussion.number)
        if event is None or event.type != "comment" or (event.repository_id, event.number) != here:
            raise NotFound(f"#{self.discussion.number} has no comment {comment_id[:40]!r}.")
        return event
