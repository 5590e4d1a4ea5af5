"""The steps of gc, in the order in which one makes work for the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select

from pytupli_registry.server.database.schema import (
    Blob,
    DeviceLogin,
    EpisodeStatistics,
    HubState,
    Repository,
    Token,
    Upload,
    now,
)
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.gc.bytes import collect_blobs, collect_remains
from pytupli_registry.server.services.maintenance.gc.commits import collect_commits
from pytupli_registry.server.services.maintenance.gc.contents import collect_belongings, collect_git_objects
from pytupli_registry.server.services.maintenance.gc.run import GcRun
from pytupli_registry.server.services.maintenance.gc.xorbs import collect_xorbs
from pytupli_registry.server.services.maintenance.locks import alone, exclusive
from pytupli_registry.server.services.maintenance.marks import MANY, Marks

__all__ = ["GcReport", "collect_garbage"]

SHORTEST_GRACE_S = 3600  # while a server runs
LAST_GC = "last_gc"


@dataclass(frozen=True, slots=True)
class GcReport:
    """What a gc removed, or would remove.

    Attributes:
        dry_run: nothing was removed.
        older_than: only what was not touched since then.
        removed: how many of each kind.
        freed_bytes: of the objects removed.
        busy_repositories: how many were left for the next time because somebody always wrote to them.
    """

    dry_run: bool
    older_than: datetime
    removed: dict[str, int]
    freed_bytes: int
    busy_repositories: int


def collect_garbage(
    hub: Hub,
    *,
    grace_s: int | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> GcReport:
    """Remove what nothing refers to and what was not touched for the grace period.

    Args:
        hub: the Hub.
        grace_s: seconds; default is the Hub's setting.
        dry_run: only count.
        progress: called with 1 after each repository.

    Raises:
        MaintenanceError: other maintenance is at work; the period is too short for a running server; or the Hub
            is damaged.
        Unavailable: database or object store do not answer. What was removed until then is gone.
    """
    grace = hub.settings.gc_grace_s if grace_s is None else grace_s
    directory = hub.settings.directory
    with exclusive(hub), alone(directory) as is_alone, Marks() as marks:
        if grace < SHORTEST_GRACE_S and not (is_alone or dry_run):
            raise MaintenanceError(
                f"The server is running: what is younger than {SHORTEST_GRACE_S} seconds may belong to a request. "
                f"Give --grace {SHORTEST_GRACE_S} or more, or stop the server before."
            )
        started = now()
        run = GcRun(hub, marks, started, started - timedelta(seconds=grace), dry_run)
        _run(run, progress)
    return GcReport(
        dry_run,
        run.cutoff,
        {kind: count for kind, count in run.removed.items() if count},
        sum(run.freed.values()),
        len(run.busy),
    )


def _run(run: GcRun, progress: Callable[[int], None]) -> None:
    _collect_expired(run)
    for repository_id in _repositories(run.hub):
        collect_commits(run, repository_id)
    for repository_id in _repositories(run.hub):
        with run.hub.database.read() as session:
            collect_belongings(run, session, repository_id)
        progress(1)
    collect_git_objects(run)
    collect_blobs(run)
    collect_xorbs(run)
    collect_remains(run)
    if not run.dry:
        with run.hub.database.write() as session:
            row = {"key": LAST_GC, "value": {"at": run.started.isoformat()}}
            run.hub.database.upsert(session, HubState, [row], update=("value",))


def _repositories(hub: Hub) -> Iterator[int]:
    last = 0
    while True:
        with hub.database.read() as session:
            query = select(Repository.id).where(Repository.id > last).order_by(Repository.id).limit(MANY)
            page = session.scalars(query).all()
        yield from page
        if not page:
            return
        last = page[-1]


def _collect_expired(run: GcRun) -> None:
    """Remove what has a time of its own; parts of uploads without a row go with the other remains."""
    no_blob = ~exists().where(Blob.sha256 == EpisodeStatistics.sha256)
    expired = {
        "uploads": (Upload, Upload.expires_at < run.cutoff),
        "device logins": (DeviceLogin, DeviceLogin.expires_at < run.cutoff),
        "device tokens": (Token, (Token.kind == "device") & (Token.expires_at < run.cutoff)),
        "cached statistics": (EpisodeStatistics, (EpisodeStatistics.created_at < run.cutoff) & no_blob),
    }
    for kind, (table, condition) in expired.items():
        if run.dry:
            with run.hub.database.read() as session:
                run.removed[kind] += len(session.execute(select(table).where(condition)).all())
        else:
            with run.hub.database.write() as session:
                gone = delete(table).where(condition).returning(*table.__table__.primary_key)
                run.removed[kind] += len(session.execute(gone).all())
