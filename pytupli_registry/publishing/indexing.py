"""The index of datasets that others published: built here from the data, and committed beside it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytupli_registry.errors import DatasetNotFound
from pytupli_registry.hub.commits import whoami
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.publishing.committing import commit_contents
from pytupli_registry.publishing.contents import Contents, Origins, contents
from pytupli_registry.publishing.local import open_local
from pytupli_registry.publishing.prepared import Prepared
from pytupli_registry.publishing.remote_dataset import bring, published_index
from pytupli_registry.publishing.workplace import workplace
from pytupli_registry.references import Reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytupli_registry.publishing.publication import Publication
    from pytupli_registry.publishing.repository import Repository

__all__ = ["index_remote"]


def index_remote(
    reference: str,
    *,
    dry_run: bool = False,
    bars: bool = False,
    advance: Callable[[int], None] | None = None,
    hub: Hub | None = None,
) -> Publication:
    """Build ``episodes.parquet`` for published datasets that have none that fits, and commit it.

    The data has to come here once for that; from then on everybody can load what they need of it.

    Args:
        reference: a dataset on the Hub, or a repository for all in it: ``acme/hvac``.
        dry_run: build it, and say what would be sent.
        bars: show progress bars on stderr.
        advance: called with the bytes of files that are uploaded.
        hub: where; None is the one that is meant.

    Raises:
        DatasetNotFound: there is no such dataset.
        FormatError: its data cannot be read.
        HubError: the Hub refuses, or cannot be reached.
    """
    target, hub = Reference.parse(reference), hub or Hub()
    with workplace() as place:
        origins = Origins("index", whoami(hub), {})
        return commit_contents(
            hub,
            target.repo,
            partial(_work_out, target=target, origins=origins, place=place, bars=bars),
            message=f"Index {target.path_in_repo or 'all datasets'}",
            what=reference,
            revision=target.revision,
            dry_run=dry_run,
            bars=bars,
            advance=advance,
        )


def _work_out(
    repository: Repository, *, target: Reference, origins: Origins, place: Path, bars: bool
) -> Contents:
    paths = (target.path_in_repo,) if target.dataset is not None else repository.datasets
    if repository.snapshot is None or not paths:
        raise DatasetNotFound(str(target), "the Hub", hint="`pytupli search` shows what is there.")
    lacking = [path for path in paths if published_index(repository, path) is None]
    if not lacking:
        return Contents((), tuple(f"{path}/data/episodes.parquet" for path in paths), ())
    root = place / repository.snapshot.commit
    datasets = [
        open_local(bring(repository, path, root, bar=bars).parent, path, repository.name, cache=place)
        for path in lacking
    ]
    return contents(repository, Prepared(repository.name, datasets=datasets), origins, replaced=True)
