"""One commit as it arrives: rights first, then contents, then the branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Discussion, Repository
from pytupli_registry.server.errors import Forbidden
from pytupli_registry.server.services.commits import Draft, apply, check_title
from pytupli_registry.server.services.datasets import statistics
from pytupli_registry.server.services.intake import Intake
from pytupli_registry.server.services.permissions import Action, allows
from pytupli_registry.server.services.pull_requests import open_pull_request, record_commit
from pytupli_registry.server.services.repositories import find, ownership_of
from pytupli_registry.server.services.revisions import branch_ref, not_found, resolve, writable_ref
from pytupli_registry.server.wire.operations import CommitLines

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.permissions import Caller
    from pytupli_registry.server.wire.names import RepoId

__all__ = ["Committed", "Committing"]

LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit that was made.

    Attributes:
        oid: its id.
        full_name: the repository's, as it is written today.
        pull_request: number of the pull request that was opened for it, or None.
    """

    oid: str
    full_name: str
    pull_request: int | None


class Committing:
    """Takes in the body of a commit and makes the commit at the end.

    Make one with :meth:`begin`, which checks rights before anything is taken in; they are checked again at
    the end, since a body may take minutes to arrive.
    """

    def __init__(
        self, hub: Hub, caller: Caller, repo_id: RepoId, ref: str, action: Action, opens: bool
    ) -> None:
        self._hub = hub
        self._caller = caller
        self._repo_id = repo_id
        self._ref = ref
        self._action = action
        self._opens = opens
        self._lines = CommitLines(hub.settings.max_regular_size, hub.settings.max_commit_operations)
        self._repository_id: int
        self._intake: Intake

    @classmethod
    def begin(
        cls,
        hub: Hub,
        caller: Caller,
        repo_id: RepoId,
        revision: str,
        opens: bool,
        action: Action,
    ) -> Committing:
        """Begin a commit to a branch or pull request; ``opens`` makes a pull request out of it.

        Raises:
            RepoNotFound, NotAuthenticated, Forbidden: as ``repositories.find``.
            RevisionNotFound: there is no such branch.
        """
        committing = cls(hub, caller, repo_id, writable_ref(revision), action, opens)
        with hub.database.read() as session:
            repository = find(session, caller, repo_id, action)
            committing._check(session, repository)
            committing._repository_id = repository.id
            committing._intake = Intake(hub, repository.id, caller.user_id)
        return committing

    def _check(self, session: Session, repository: Repository) -> None:
        resolve(session, repository.id, self._ref)
        if self._opens and not self._ref.startswith("refs/heads/"):
            raise not_found(self._ref)
        if self._ref.startswith("refs/pr/"):
            _check_author(session, self._caller, repository, self._ref)

    def feed(self, block: bytes) -> None:
        """Take in bytes of the body.

        Raises:
            BadRequest, TooLarge, Unprocessable: as ``CommitLines``.
            StorageFull, Unavailable: contents cannot be kept.
        """
        for operation in self._lines.feed(block):
            self._intake.take(operation)

    def finish(self) -> Committed:
        """Make the commit.

        Raises:
            HubError: as ``commits.apply``; nothing of the commit is visible then.
        """
        for operation in self._lines.finish():
            self._intake.take(operation)
        header = self._lines.header
        assert header is not None  # noqa: S101 - finish() of the lines raises without one
        draft = Draft(
            check_title(header.summary),
            header.description,
            header.parent,
            self._intake.changes,
            frozenset(self._intake.replaced),
        )
        statistics.prepare(self._hub, self._repository_id, self._intake.changes)
        with self._hub.database.write() as session:
            repository = find(session, self._caller, self._repo_id, self._action)
            self._check(session, repository)
            ref, number = self._ref, None
            if self._opens:
                number = open_pull_request(
                    session, self._hub, repository, self._caller, draft.title, draft.message, self._ref
                )
                ref = branch_ref(f"refs/pr/{number}")
            oid = apply(session, self._hub, repository, self._caller, ref, draft)
            if ref.startswith("refs/pr/"):
                record_commit(session, repository, self._caller, ref, draft.title, oid)
            return Committed(oid, repository.full_name, number)


def _check_author(session: Session, caller: Caller, repository: Repository, ref: str) -> None:
    """Keep strangers from writing to other people's pull requests.

    Raises:
        RevisionNotFound: there is no such pull request.
        Forbidden: somebody else opened it, and the caller may not write.
    """
    number = ref.removeprefix("refs/pr/")
    if not number.isdecimal() or len(number) > LONGEST_NUMBER:
        raise not_found(ref)
    pull_request = session.get(Discussion, (repository.id, int(number)))
    if pull_request is None:
        raise not_found(ref)
    if pull_request.author_id != caller.user_id and not allows(
        caller, ownership_of(repository), Action.WRITE
    ):
        raise Forbidden("Only its author and those who may write here commit to a pull request.")
