"""Adding episodes to a published dataset: its file is extended, no byte of it moves, and only new ones travel.

Whoever is faster goes first: where the branch has moved on, the episodes are added to what is there now, so that
any number of recorders can append to one dataset at the same time.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.runs import kept_episodes
from pytupli_registry.errors import EpisodeError, InvalidReference
from pytupli_registry.hub.commits import whoami
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.publishing.committing import commit_contents
from pytupli_registry.publishing.contents import Contents, Origins, contents
from pytupli_registry.publishing.likeness import check_alike
from pytupli_registry.publishing.local import LocalDataset, open_local
from pytupli_registry.publishing.opening import opened, source_of
from pytupli_registry.publishing.prepared import Prepared
from pytupli_registry.publishing.remote_dataset import bring, check_there, published_index
from pytupli_registry.publishing.repository import Repository, data_files
from pytupli_registry.publishing.shared import shared_episodes
from pytupli_registry.publishing.workplace import workplace
from pytupli_registry.references import Reference
from pytupli_registry.storage.forms import stored_dtypes
from pytupli_registry.storage.local import LocalStore
from pytupli_registry.storage.trust import DATA_NAME
from pytupli_registry.storage.writer import DatasetWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytupli_registry.dataset.episode import Episode
    from pytupli_registry.publishing.publication import Publication

__all__ = ["append_remote"]


def append_remote(
    reference: str,
    what: str | Dataset | Iterable[Episode],
    *,
    as_: str | None = None,
    message: str | None = None,
    again: bool = False,
    any_environment: bool = False,
    dry_run: bool = False,
    bars: bool = False,
    advance: Callable[[int], None] | None = None,
    hub: Hub | None = None,
) -> Publication:
    """Add episodes to a published dataset, by one commit.

    Adding the same dataset twice adds it once. Of a dataset that begins with the same episodes as the published one,
    such as the one it was published from, those that follow are added.

    Args:
        reference: the published dataset, ``acme/hvac/summer-v0``, with ``@branch`` where it is not the main one.
        what: a dataset (its filters are applied), the reference of one, or episodes.
        as_: leave the dataset as it is and publish the longer one under this name, ``summer-v1``.
        message: of the commit.
        again: add it even if it was added before.
        any_environment: whether it may be of an environment of another id, if only the spaces are the same.
        dry_run: do everything but the sending.
        bars: show progress bars on stderr.
        advance: called with the bytes of files that are uploaded.
        hub: where; None is the one that is meant.

    Raises:
        DatasetNotFound: there is no such dataset on the Hub, or none to add.
        EpisodeError: an episode does not fit it, is of another environment, or there is none.
        PublicationRefused: something speaks against it; nothing was sent.
        HubError: the Hub refuses, or cannot be reached.
    """
    target, hub = _target(reference), hub or Hub()
    with workplace() as place, _source(target, hub, what, place) as source:
        run = _Append(
            target.repo,
            target.path_in_repo,
            as_ or target.path_in_repo,
            source,
            whoami(hub),
            place,
            again,
            any_environment,
            bars,
        )
        told = message or f"Append {source.episode_count:,} episodes to {run.new_path}"
        return commit_contents(
            hub,
            target.repo,
            run.work_out,
            message=told,
            what=reference,
            revision=target.revision,
            dry_run=dry_run,
            bars=bars,
            advance=advance,
        )


def _target(text: str) -> Reference:
    reference = Reference.parse_dataset(text)
    if reference.scheme == "local" or reference.view is not None:
        raise InvalidReference(
            text, "it names no dataset of a Hub as a whole", hint="Write it like this: acme/hvac/summer-v0."
        )
    reference.repo  # noqa: B018 - raises where it names no repository
    return reference


@contextmanager
def _source(
    target: Reference, hub: Hub, what: str | Dataset | Iterable[Episode], place: Path
) -> Iterator[Dataset]:
    """Yield what is to be added; episodes that come one by one are kept on disk, for they may be needed again."""
    if isinstance(what, str):
        what = opened(what, hub)
    elif not isinstance(what, Dataset):
        what = _spooled(target, hub, what, place / "source")
    if what.transition_count == 0:
        raise EpisodeError("There is no episode to add.", hint="Do the filters keep nothing?")
    yield what


def _spooled(target: Reference, hub: Hub, episodes: Iterable[Episode], root: Path) -> Dataset:
    repository = Repository.at_head(hub, target.repo, target.revision)
    check_there(repository, target.path_in_repo)
    metadata, index = (
        _metadata(repository, target.path_in_repo),
        published_index(repository, target.path_in_repo),
    )
    leaves = {} if index is None else {path: stored.leaf for path, stored in index.leaves.items()}
    with DatasetWriter.create(
        root,
        "source/episodes-v0",
        observation_space=metadata.observation_space,
        action_space=metadata.action_space,
        dtypes=stored_dtypes(leaves),
        cache=root,
    ) as writer:
        for episode in episodes:
            writer.add(episode)
    return LocalStore(root, root).open("source/episodes-v0")


@dataclass(slots=True)
class _Append:
    """One append, worked out anew whenever the branch has moved on."""

    repo: str
    path: str
    new_path: str
    source: Dataset
    by: str
    place: Path
    again: bool
    any_environment: bool
    bars: bool

    def work_out(self, repository: Repository) -> Contents:
        """Return what the repository lacks to have the episodes."""
        check_there(repository, self.path)
        theirs = _metadata(repository, self.path)
        check_alike(theirs, self.source.metadata, any_environment=self.any_environment)
        said = source_of(self.source)
        if not self.again and self._is_there(repository, said):
            return Contents((), data_files(self.new_path), ())
        shared = self._shared(repository)
        if shared == len(self.source.table):
            return Contents((), data_files(self.new_path), ())
        made = self._continued(repository, shared) or self._extended(repository, shared)
        prepared = Prepared(repository.name, datasets=[made])
        origins = Origins("append", self.by, {self.new_path: (said,)})
        return contents(repository, prepared, origins, replaced=self.new_path == self.path)

    def _is_there(self, repository: Repository, said: Mapping[str, Any]) -> bool:
        """Whether the same data was added before: by us, before the answer was lost, or by anybody else."""
        keys = ("sha256", "episode_filter", "step_filter")
        return said.get("sha256") is not None and any(
            all(known.get(key) == said.get(key) for key in keys)
            for step in repository.provenance.of(self.new_path)
            if step.action == "append"
            for known in step.sources
        )

    def _shared(self, repository: Repository) -> int:
        """Return with how many of the published episodes the source begins: those are there already."""
        source = self.source
        if self.again or source.episode_filter is not None or source.step_filter is not None:
            return 0
        published = published_index(repository, self.path)
        return 0 if published is None else shared_episodes(published.table, source.table)

    def _continued(self, repository: Repository, shared: int) -> LocalDataset | None:
        """Return the source itself where it is the published dataset with more episodes: nothing has to come here."""
        source, published = self.source, published_index(repository, self.path)
        if not shared or published is None or shared < len(published.table) or not _is_local(source):
            return None
        found = open_local(_directory(source), self.new_path, repository.name)
        if any(
            found.index.leaves.get(path) is None or found.index.leaves[path].leaf != stored.leaf
            for path, stored in published.leaves.items()
        ):
            return None
        return replace(found, metadata=_grown(_metadata(repository, self.path), found.metadata))

    def _extended(self, repository: Repository, shared: int) -> LocalDataset:
        root = self.place / "extended"
        shutil.rmtree(root, ignore_errors=True)
        directory = bring(repository, self.path, root, bar=self.bars)
        with DatasetWriter.append_to(root, f"{repository.name}/{self.path}", cache=root) as writer:
            for episode in islice(kept_episodes(self.source), shared, None):
                writer.add(episode)
        return open_local(directory.parent, self.new_path, repository.name, cache=root)


def _metadata(repository: Repository, path: str) -> DatasetMetadata:
    name = data_files(path)[1]
    return DatasetMetadata.from_json(repository.read(name) or b"", path=name)


def _grown(published: DatasetMetadata, local: DatasetMetadata) -> DatasetMetadata:
    """Return what is published about a dataset, with the counts of the longer one."""
    counted = published.with_counts(local.total_episodes, local.total_steps)
    size = {"dataset_size": local.extra["dataset_size"]} if "dataset_size" in local.extra else {}
    return replace(counted, dataset_id=local.dataset_id, extra={**counted.extra, **size})


def _is_local(dataset: Dataset) -> bool:
    return (_directory(dataset) / "data" / DATA_NAME).is_file()


def _directory(dataset: Dataset) -> Path:
    return Path(dataset.source).parent
