"""Publishing what lies on this machine: checked as a whole, sent as one commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytupli_registry.errors import HubError, PublicationRefused, UnsafeFile
from pytupli_registry.hub.commits import client_cache, whoami
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.publishing.committing import commit_contents
from pytupli_registry.publishing.contents import Origins, contents
from pytupli_registry.publishing.links import without_links
from pytupli_registry.publishing.local import find
from pytupli_registry.publishing.names import Destination
from pytupli_registry.publishing.prepared import files_of, prepare

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from pytupli_registry.benchmarks.benchmark import Benchmark
    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.publishing.contents import CardChoice, Contents
    from pytupli_registry.publishing.local import Found
    from pytupli_registry.publishing.prepared import Prepared
    from pytupli_registry.publishing.publication import Publication
    from pytupli_registry.publishing.repository import Repository

__all__ = ["publish"]


def publish(
    what: Benchmark | Dataset | str | os.PathLike[str],
    to: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    message: str | None = None,
    card: CardChoice | None = None,
    thorough: bool = False,
    dry_run: bool = False,
    bars: bool = False,
    advance: Callable[[int], None] | None = None,
    hub: Hub | None = None,
) -> Publication:
    """Publish a benchmark or datasets to a Hub.

    Everything is checked before anything is sent. Readers see all of it or nothing. Publishing the same again
    changes nothing; published data is never overwritten.

    Args:
        what: a saved benchmark, an unfiltered dataset, or the local name or directory of one.
        to: the organization or user, ``acme``; or with another name for the repository of a dataset, ``acme/hvac``.
        private: visibility of a repository that is created; None leaves it to the Hub. One that exists has to be so.
        revision: the branch; None is the main one.
        message: of the commit.
        card: whose text wins where people wrote on both sides, ``"local"`` or ``"hub"``.
        thorough: read every value of every dataset through h5py first, and compare.
        dry_run: check everything and say what would be sent.
        bars: let the Hub's client show its own progress bars on stderr.
        advance: called with the bytes of files that are uploaded.
        hub: where; None is the one that is meant, see :class:`~pytupli_registry.hub.Hub`.

    Raises:
        PublicationRefused: something speaks against it; the error lists everything.
        BenchmarkNotFound, DatasetNotFound: there is no such thing on this machine.
        HubError: the Hub refuses, or cannot be reached.
    """
    found, target = find(what), Destination.parse(to)
    name = target.name or found.name
    if name is None:
        raise PublicationRefused(
            found.shown,
            ["it has no namespace, which Minari needs to find it again."],
            hint=f"Name the repository: `--to {target.owner}/NAME`.",
        )
    repo, hub = f"{target.owner}/{name}", hub or Hub()
    try:
        with without_links(found.directory, files_of(found), [client_cache()]) as directory:
            prepared = prepare(found, directory, name, thorough=thorough)
            made = commit_contents(
                hub,
                repo,
                _worker(found, prepared, hub, card),
                message=message or f"Publish {found.shown}",
                what=found.shown,
                private=private,
                revision=revision,
                dry_run=dry_run,
                bars=bars,
                advance=advance,
            )
    except UnsafeFile as error:
        raise PublicationRefused(found.shown, [error.message], hint=error.hint) from error
    return replace(made, warnings=(*prepared.warnings, *made.warnings))


def _worker(
    found: Found, prepared: Prepared, hub: Hub, card: CardChoice | None
) -> Callable[[Repository], Contents]:
    try:
        origins = Origins("publish", whoami(hub), {})
    except HubError as error:
        if prepared.problems:  # these can be told without a Hub
            raise PublicationRefused(found.shown, prepared.problems) from error
        raise

    def work_out(repository: Repository) -> Contents:
        wanted = contents(repository, prepared, origins, card=card)
        return replace(wanted, problems=(*prepared.problems, *wanted.problems))

    return work_out
