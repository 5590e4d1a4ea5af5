"""The whole check."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from pytupli_registry.server.database.schema import Repository
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.fsck.contents import (
    check_accounts,
    check_database,
    check_git_blobs,
    check_trees,
)
from pytupli_registry.server.services.maintenance.fsck.findings import Findings
from pytupli_registry.server.services.maintenance.fsck.history import check_repository
from pytupli_registry.server.services.maintenance.fsck.stored import check_objects
from pytupli_registry.server.services.maintenance.locks import exclusive
from pytupli_registry.server.services.maintenance.marks import Marks

__all__ = ["check_hub"]


def check_hub(hub: Hub, *, deep: bool = False, progress: Callable[[int], None] = lambda _: None) -> Findings:
    """Check a whole Hub, which may be in use meanwhile.

    Args:
        hub: the Hub.
        deep: read every stored byte again and compare hashes.
        progress: called with 1 after each repository and each blob.

    Raises:
        MaintenanceError: other maintenance is at work.
        Unavailable: database or object store do not answer.
    """
    findings = Findings()
    with exclusive(hub), Marks() as marks:
        check_database(hub, findings)
        check_accounts(hub, findings)
        check_trees(hub, findings)
        check_git_blobs(hub, findings)
        _check_repositories(hub, marks, findings, progress)
        check_objects(hub, marks, findings, deep=deep, progress=progress)
    return findings


def _check_repositories(hub: Hub, marks: Marks, findings: Findings, progress: Callable[[int], None]) -> None:
    last = 0
    while True:
        # One repository, one state of the database: a commit that comes meanwhile is in it as a whole or not.
        with hub.database.read() as session:
            query = select(Repository).where(Repository.id > last).order_by(Repository.id).limit(1)
            repository = session.scalar(query)
            if repository is None:
                return
            check_repository(session, marks, findings, repository)
            last = repository.id
        progress(1)
