"""From what a repository lacks to a commit: again and again until it fits what others did meanwhile."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from pytupli_registry.errors import CommitConflict, HubUnreachable, PublicationRefused
from pytupli_registry.hub.commits import commit, create_repo, is_private
from pytupli_registry.publishing.publication import Publication
from pytupli_registry.publishing.repository import Repository
from pytupli_registry.storage.arrow import release_unused

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytupli_registry.hub.snapshots import Hub
    from pytupli_registry.publishing.contents import Contents

__all__ = ["commit_contents"]

ATTEMPTS = 60
BREAKS = 3  # how often a connection may break
_LONGEST_WAIT_S = 5.0


def commit_contents(
    hub: Hub,
    repo: str,
    work_out: Callable[[Repository], Contents],
    *,
    message: str,
    what: str,
    private: bool | None = None,
    revision: str | None = None,
    dry_run: bool = False,
    bars: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Publication:
    """Bring a repository to what it has to be, by one commit on a head that was read.

    Where somebody else commits in between, what the repository lacks is worked out anew on the new head. Where the
    connection breaks while the commit is made, the repository is looked at again: it may have been made.

    Args:
        hub: where.
        repo: ``acme/hvac``; it is created if it does not exist.
        work_out: says what a repository lacks.
        message: of the commit.
        what: is published, for messages.
        private: of a repository that is created; of one that exists it has to be true.
        revision: the branch.
        dry_run: send nothing.
        bars: let the client show its progress bars.
        advance: called with the bytes of files that are uploaded.

    Raises:
        PublicationRefused: something speaks against it; nothing was sent.
        CommitConflict: others were faster too many times.
        HubError: the Hub refuses.
        HubUnreachable: no Hub answers.
    """
    failure: CommitConflict | HubUnreachable | None = None
    breaks = 0
    for attempt in range(ATTEMPTS):
        if attempt:
            _wait(attempt)
        repository = Repository.at_head(hub, repo, revision)
        wanted = work_out(repository)
        problems = [*wanted.problems, *_visibility_problems(hub, repository, private)]
        if problems:
            raise PublicationRefused(what, problems)
        head = None if repository.snapshot is None else repository.snapshot.commit
        if dry_run or not wanted.changed:
            return _publication(hub, repo, None if wanted.changed else head, wanted, dry_run=dry_run)
        if failure is not None and breaks > BREAKS:
            raise failure
        try:
            if head is None:
                head = _create(hub, repo, private, revision)
            release_unused()  # the client needs enough while it uploads
            made = commit(
                hub,
                repo,
                wanted.changed,
                parent=head,
                message=message,
                revision=revision,
                bars=bars,
                advance=advance,
            )
        except (CommitConflict, HubUnreachable) as error:
            failure, breaks = error, breaks + isinstance(error, HubUnreachable)
            continue
        return _publication(hub, repo, made, wanted)
    raise failure or CommitConflict(f"{repo} changes faster than one can write to it.", hint="Try again.")


def _create(hub: Hub, repo: str, private: bool | None, revision: str | None) -> str:
    create_repo(hub, repo, private=private)
    return hub.snapshot(repo, revision).commit


def _visibility_problems(hub: Hub, repository: Repository, private: bool | None) -> list[str]:
    """Compare what is asked with what is: nobody who says private may end up publishing to everybody."""
    if private is None or repository.snapshot is None or is_private(hub, repository.repo) == private:
        return []
    is_, asked = ("public", "private") if private else ("private", "public")
    told = (
        f"{repository.repo} exists and is {is_}, and --{asked} was asked for. Leave that out, or change the repository "
        f"first: `hf repos settings {repository.repo} --repo-type dataset --{asked}`."
    )
    return [told]


def _publication(
    hub: Hub, repo: str, commit_id: str | None, wanted: Contents, *, dry_run: bool = False
) -> Publication:
    return Publication(
        repo,
        commit_id,
        f"{hub.endpoint}/datasets/{repo}",
        {file.path: file.size for file in wanted.changed},
        wanted.unchanged,
        wanted.warnings,
        dry_run=dry_run,
    )


def _wait(attempt: int) -> None:
    time.sleep(random.uniform(0, min(_LONGEST_WAIT_S, 0.1 * 2**attempt)))  # noqa: S311 - spreads writers, hides nothing
