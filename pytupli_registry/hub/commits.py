"""Writing to a Hub: repositories, and commits that come as a whole on a known parent or not at all.

Files go through the stock client, from their paths: by Xet or LFS, in pieces, never held in memory. What the Hub
has of a file already, from an upload that broke off or an earlier version, is not sent again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from pytupli_registry.errors import CommitConflict, FormatError, HubError, HubUnreachable
from pytupli_registry.hub.http import FAILURES
from pytupli_registry.hub.revisions import revisions
from pytupli_registry.hub.xet_settings import careful_uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytupli_registry.hub.snapshots import Hub

__all__ = ["Addition", "client_cache", "commit", "create_repo", "is_private", "whoami"]

_DATASET = "dataset"
_CONFLICTS = {409, 412}
_OVERLOADED = 500
# Older clients (0.25 to 1.0) make the commit, and then take its address for one of the Hub that HF_ENDPOINT names.
_UNREADABLE_ANSWER = "Unable to retrieve user and repo ID"
_FOLLOWING = 1000  # commits that others can have made meanwhile
_LOG_IN = "Log in: pytupli login, or hf auth login."


@dataclass(frozen=True, slots=True)
class Addition:
    """A file of a commit.

    Attributes:
        path: in the repository.
        content: its bytes, or the regular file that holds them.
        sha256: of the content in hexadecimal, where known; it is not computed again then.
    """

    path: str
    content: Path | bytes = field(repr=False)
    sha256: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)


def client_cache() -> Path:
    """Return where the stock client keeps what it downloads; names there are links."""
    return Path(constants.HF_HUB_CACHE)


def whoami(hub: Hub) -> str:
    """Return the name of the user whose token is used.

    Raises:
        HubError: there is no token, or it is not valid.
        HubUnreachable: no Hub answers.
    """
    if hub.access.token is None:
        raise HubError(f"{hub.endpoint} cannot know who asks: there is no token.", hint=_LOG_IN)
    with _told(hub, "who one is"):
        return str(hub.api().whoami()["name"])


def is_private(hub: Hub, repo: str) -> bool:
    """Return whether a repository can be seen by those only who were let in.

    Raises:
        HubError: there is no such repository, or none for this user.
        HubUnreachable: no Hub answers.
    """
    with _told(hub, repo):
        return bool(hub.api().dataset_info(repo).private)


def create_repo(hub: Hub, repo: str, *, private: bool | None = None) -> None:
    """Create a dataset repository; one that is there stays as it is.

    Args:
        hub: where.
        repo: ``acme/hvac``.
        private: None leaves it to the Hub, whose organizations have a default.

    Raises:
        HubError: the user may not create it.
        HubUnreachable: no Hub answers.
    """
    with _told(hub, repo):
        hub.api().create_repo(repo, repo_type=_DATASET, private=private, exist_ok=True)


def commit(
    hub: Hub,
    repo: str,
    additions: Sequence[Addition],
    *,
    parent: str,
    message: str,
    revision: str | None = None,
    deletions: Iterable[str] = (),
    bars: bool = False,
    advance: Callable[[int], None] | None = None,
) -> str:
    """Make one commit, and return its id.

    Readers see all of it or nothing. Where it fails, what was uploaded stays with the Hub for a while, unseen, and a
    second try need not send it again.

    Args:
        hub: where.
        repo: ``acme/hvac``.
        additions: files that are new or replaced.
        parent: commit that it builds on, in full.
        message: what it does.
        revision: the branch; None for the main one.
        deletions: paths of files that go.
        bars: let the client show its own progress bars while it uploads.
        advance: called with the bytes of each file that is uploaded.

    Raises:
        CommitConflict: the branch is no longer at ``parent``.
        HubError: the user may not write, or the Hub refuses a file.
        HubUnreachable: no Hub answers, or the connection broke; the commit may have been made.
        FormatError: a file is not there any more.
    """
    operations = [_operation(addition) for addition in additions]
    with _told(hub, repo), _progress_bars(shown=bars), careful_uploads():
        api = hub.api()
        for first in range(0, len(operations), 1000):
            batch = operations[first : first + 1000]
            api.preupload_lfs_files(repo, batch, repo_type=_DATASET, revision=revision, free_memory=False)
            if advance is not None:
                advance(sum(addition.size for addition in additions[first : first + 1000]))
        try:
            made = api.create_commit(
                repo,
                [*operations, *(CommitOperationDelete(path) for path in deletions)],
                commit_message=message,
                repo_type=_DATASET,
                revision=revision,
                parent_commit=parent,
            )
        except ValueError as error:
            if not str(error).startswith(_UNREADABLE_ANSWER):
                raise
            return _made_on(hub, repo, parent, revision)
        return str(made.oid)


def _made_on(hub: Hub, repo: str, parent: str, revision: str | None) -> str:
    """Return the commit that follows a parent; ours, as the Hub has accepted it, and takes one on a parent only."""
    listed = [one.commit for one in revisions(hub, repo, revision, limit=_FOLLOWING).commits]
    if parent not in listed[1:]:
        raise HubUnreachable(
            f"{hub.endpoint} does not tell which commit it has made in {repo}.", hint="Try again."
        )
    return listed[listed.index(parent) - 1]


def _operation(addition: Addition) -> CommitOperationAdd:
    if isinstance(addition.content, Path) and not addition.content.is_file():
        raise FormatError(addition.content, "the file is not there any more")
    made = CommitOperationAdd(addition.path, addition.content)
    if addition.sha256 is not None and hasattr(type(made.upload_info), "is_hashed"):
        made.upload_info.sha256 = bytes.fromhex(addition.sha256)  # older clients have hashed it by now
    return made


@contextmanager
def _told(hub: Hub, what: str) -> Iterator[None]:
    """Turn what the client raises into our own errors."""
    try:
        yield
    except HfHubHTTPError as error:
        raise _refusal(hub, what, error) from error
    except FAILURES as error:
        if isinstance(error, FileNotFoundError | PermissionError) and error.filename is not None:
            raise  # a local file
        raise _broken(hub, error) from error
    except (RuntimeError, ValueError) as error:
        # What the client wraps around a failed upload says nothing of its kind; its cause does.
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _refusal(hub, what, error.__cause__) from error
        raise _broken(hub, error.__cause__ or error) from error


def _broken(hub: Hub, error: BaseException) -> HubUnreachable:
    return HubUnreachable(
        f"The connection to {hub.endpoint} failed: {str(error) or type(error).__name__:.300}.",
        hint="Try again: what the Hub has already is not sent a second time.",
    )


def _refusal(hub: Hub, what: str, error: HfHubHTTPError) -> HubError:
    status = getattr(error.response, "status_code", None)
    said = (getattr(error, "server_message", None) or str(error)).strip().rstrip(".")
    if status is None or status >= _OVERLOADED:
        return HubUnreachable(f"{hub.endpoint} has failed: {said:.300}.", status=status, hint="Try again.")
    if status in _CONFLICTS:
        return CommitConflict(
            f"{what} has changed since it was read: {said:.300}.", status=status, hint="Try again."
        )
    if status == 401 or (hub.access.token is None and status in {403, 404}):
        return HubError(
            f"{hub.endpoint} does not know who asks: {said:.300}.",
            status=status,
            hint=_LOG_IN,
        )
    if status == 403:
        return HubError(
            f"You have no right to write to {what} on {hub.endpoint}: {said:.300}.",
            status=status,
            hint="Ask an admin of the organization for the role 'write' or 'contributor'; "
            "a token needs the role 'write' too.",
        )
    if status == 404:
        return HubError(
            f"There is no {what} on {hub.endpoint}, or none for you: {said:.300}.",
            status=status,
            hint="Does the organization exist, and are you a member? `pytupli org list` shows yours.",
        )
    return HubError(f"{hub.endpoint} refuses {what}: {said:.1000}.", status=status)


@contextmanager
def _progress_bars(*, shown: bool) -> Iterator[None]:
    if shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
