"""From a path in a revision to the bytes that are to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from pytupli_registry.server.errors import EntryNotFound
from pytupli_registry.server.services.files import File, file_of
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.revisions import resolve, tree_of
from pytupli_registry.server.services.trees import entry_at

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.permissions import Caller
    from pytupli_registry.server.wire.names import RepoId

__all__ = ["Download", "find_download"]


@dataclass(frozen=True, slots=True)
class Download:
    """A file at a commit, which the caller may read."""

    file: File
    commit: str
    repository_id: int


def find_download(
    session: Session, hub: Hub, caller: Caller, repo_id: RepoId, revision: str, path: str
) -> Download:
    """Return the file at ``path`` in ``revision``.

    Raises:
        Moved, RepoNotFound, GatedRepo: as ``repositories.find``.
        RevisionNotFound: no such revision.
        EntryNotFound: no such file; it carries the commit, so that clients can remember the absence.
    """
    repository = find(session, caller, repo_id, Action.READ)
    commit = resolve(session, repository.id, revision)
    entry = entry_at(session, hub, tree_of(session, repository.id, commit), path)
    if entry is None or entry.is_directory:
        raise EntryNotFound(
            f"{path[:300]!r} does not exist on {revision[:100]!r}.", headers={"X-Repo-Commit": commit}
        )
    return Download(file_of(session, hub, entry.oid), commit, repository.id)
