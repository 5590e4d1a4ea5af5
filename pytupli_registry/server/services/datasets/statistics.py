"""Returns and lengths of episodes, from ``episodes.parquet``; read once per content, before the commit that brings it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import DatasetFacts, EpisodeStatistics, GitBlob, now
from pytupli_registry.server.objects import ObjectNotFound, StoreUnavailable
from pytupli_registry.server.services.blobs import belonging, blob_key
from pytupli_registry.server.services.intake import SmallFile
from pytupli_registry.server.wire.operations import PutLargeFile

if TYPE_CHECKING:
    from pytupli_registry.server.services.files import File
    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.intake import Change

__all__ = ["INDEX_NAME", "UNREAD", "known", "prepare", "sha256_of", "unread"]

INDEX_NAME = "episodes.parquet"
UNREAD = "unread_index"
LARGEST = 256 << 20
MOST = 1000
BUDGET_S = 5.0  # clients wait ten seconds for the answer to a commit


def prepare(hub: Hub, repository_id: int, changes: Mapping[str, Change]) -> None:
    """Read the indexes of episodes that a commit brings, unless their content was read before.

    Best effort: what cannot be read now is read with a later commit to the repository. Call it outside of a
    transaction, which would be long.

    Args:
        hub: where the files are.
        repository_id: the repository; only its own blobs are read.
        changes: the commit's.
    """
    wanted = [change for path, change in changes.items() if path.endswith(f"data/{INDEX_NAME}")][:MOST]
    with hub.database.read() as session:
        sources = _sources(session, repository_id, wanted, unread(session, repository_id).values())
        for sha256 in known(session, sources):
            del sources[sha256]
    found = dict(_read(hub, sources))
    if found:
        rows = [
            {"sha256": sha256, "statistics": said, "created_at": now()}
            for sha256, said in sorted(found.items())
        ]
        with hub.database.write() as session:
            hub.database.insert_missing(session, EpisodeStatistics, rows)


def known(session: Session, contents: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what has been read of contents, by SHA-256; ``{"problem": …}`` for those that cannot be."""
    wanted = sorted(set(contents))
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(wanted), 500):
        rows = session.execute(
            select(EpisodeStatistics.sha256, EpisodeStatistics.statistics).where(
                EpisodeStatistics.sha256.in_(wanted[first : first + 500])
            )
        )
        found.update((sha256, said) for sha256, said in rows)
    return found


def unread(session: Session, repository_id: int) -> dict[str, str]:
    """Return the datasets whose index could not be read when it came, and its SHA-256."""
    rows = session.execute(
        select(DatasetFacts.path, DatasetFacts.further).where(
            DatasetFacts.repository_id == repository_id, DatasetFacts.return_mean.is_(None)
        )
    )
    return {path: further[UNREAD] for path, further in rows if UNREAD in further}


def sha256_of(session: Session, file: File) -> str:
    """Return the SHA-256 of a file, which only small ones have to be read for."""
    if file.sha256 is not None:
        return file.sha256
    content = session.scalar(select(GitBlob.content).where(GitBlob.oid == file.oid))
    return hashlib.sha256(content or b"").hexdigest()


def _sources(
    session: Session, repository_id: int, changes: Iterable[Change], others: Iterable[str]
) -> dict[str, bytes | None]:
    """Return contents by SHA-256; None for those that are in the object store."""
    sources: dict[str, bytes | None] = {}
    large = list(others)
    for change in changes:
        if isinstance(change, PutLargeFile):
            large.append(change.sha256)
        elif isinstance(change, SmallFile):
            content, sha256 = _content(session, change)
            if content is not None:
                sources[hashlib.sha256(content).hexdigest()] = content
            elif sha256 is not None:
                large.append(sha256)
    sizes = belonging(session, repository_id, large)
    return sources | {sha256: None for sha256, size in sizes.items() if size <= LARGEST}


def _content(session: Session, file: SmallFile) -> tuple[bytes | None, str | None]:
    if file.content is not None:
        return file.content, None
    row = session.execute(
        select(GitBlob.content, GitBlob.sha256).where(GitBlob.oid == file.oid)
    ).one_or_none()
    return (None, None) if row is None else (row.content, row.sha256)


def _read(hub: Hub, sources: Mapping[str, bytes | None]) -> Iterator[tuple[str, dict[str, Any]]]:
    if not sources:
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="pytupli-episodes-")))
        paths: dict[str, Path] = {}
        for sha256, content in sources.items():
            path = _path(hub, sha256, content, folder)
            if path is not None:
                paths[sha256] = path
        answers = hub.episodes.read(list(paths.values()), budget_s=BUDGET_S)
        yield from zip(paths, answers, strict=False)


def _path(hub: Hub, sha256: str, content: bytes | None, folder: Path) -> Path | None:
    """Return a file of that content, or None if it cannot be had now."""
    try:
        stored = hub.objects.path(blob_key(sha256)) if content is None else None
        if stored is not None:
            return stored
        path = folder / sha256
        with path.open("wb") as file:
            for block in [content] if content is not None else hub.objects.read(blob_key(sha256)):
                file.write(block)
    except (ObjectNotFound, StoreUnavailable, OSError):
        return None
    return path
