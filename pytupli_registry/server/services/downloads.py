"""From a path in a revision to the bytes that are to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from pytupli_registry.server.errors import EntryNotFound
from pytupli_registry.server.services.files import File, file_of
from pytupli_registry.server.services.permissions import Action, Caller
from pytupli_registry.server.services.sight import look_at
from pytupli_registry.server.services.trees import entry_at
from pytupli_registry.server.wire.names import RepoId

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["Download", "Wanted", "find_download"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that somebody asks for."""

    repo_id: RepoId
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file at a commit, which the caller may read."""

    file: File
    commit: str
    repository_id: int
    caller: Caller


def find_download(session: Session, hub: Hub, caller: Caller, wanted: Wanted) -> Download:
    """Return the file that is wanted.

    Raises:
        Moved, RepoNotFound, GatedRepo: as ``repositories.find``.
        RevisionNotFound: no such revision.
        EntryNotFound: no such file; it carries the commit, so that clients can remember the absence.
    """
    seen = look_at(session, caller, wanted.repo_id, wanted.revision, Action.READ)
    entry = entry_at(session, hub, seen.tree, wanted.path)
    if entry is None or entry.is_directory:
        message = f"{wanted.path[:300]!r} does not exist on {wanted.revision[:100]!r}."
        raise EntryNotFound(message, headers={"X-Repo-Commit": seen.commit})
    return Download(file_of(session, hub, entry.oid), seen.commit, seen.repository_id, caller)
