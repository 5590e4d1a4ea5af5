"""Before a tree comes to a branch: refuse what would end ``minari list remote``, keep the namespace file right.

Only repositories with a ``namespace_metadata.json`` at their root, and datasets at the root itself, can do harm;
nothing else is looked at. What a commit did not change is not judged, so that a repository can be mended in steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import DatasetFacts, Redirect, Repository
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.datasets.snapshot import Snapshot
from pytupli_registry.server.services.intake import SmallFile, keep_contents
from pytupli_registry.server.services.merging import FileChange, changed_files
from pytupli_registry.server.services.trees import change_tree
from pytupli_registry.server.wire.card import read_card
from pytupli_registry.server.wire.git import FILE, TreeEntry, object_id
from pytupli_registry.server.wire.minari import (
    METADATA_LIMIT,
    NAMESPACE_FILE,
    NAMESPACE_LIMIT,
    NamespaceError,
    NamespaceFile,
    concerns,
    dataset_folder,
    folder_of_id,
    looks_like_minari,
    merge_namespace,
    metadata_path,
    metadata_problems,
)
from pytupli_registry.server.wire.summary import summarize

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["CARD", "CARD_LIMIT", "guarded_tree"]

CARD = "README.md"
CARD_LIMIT = 16 << 20
MOST_PROBLEMS = 20
MAIN_DATA = "main_data.hdf5"


def guarded_tree(session: Session, hub: Hub, repository: Repository, old_tree: str, new_tree: str) -> str:
    """Return the tree to put on a branch that had ``old_tree``: ``new_tree``, or it with a better namespace file.

    Raises:
        BadRequest: README.md is not what the Hub accepts, or Minari's listing would fail; all problems are told.
    """
    changes = {change.path: change for change in changed_files(session, hub, old_tree, new_tree)}
    old, new = Snapshot(session, hub, old_tree), Snapshot(session, hub, new_tree)
    _check_card(repository, new, changes)
    if repository.type != "dataset" or not any(map(concerns, changes)):
        return new_tree
    guard = _Guard(repository, old, new, changes)
    problems = list(dict.fromkeys(guard.problems()))
    if problems and hub.settings.minari_guard:
        shown = "\n".join(f"- {problem}" for problem in problems[:MOST_PROBLEMS])
        raise BadRequest(
            f"This would make `minari list remote` fail for everyone in {repository.owner.name}:\n{shown}"
        )
    content = guard.namespace_file()
    return new_tree if content is None else _with_namespace(session, hub, repository.id, new_tree, content)


def _check_card(repository: Repository, new: Snapshot, changes: Mapping[str, FileChange]) -> None:
    content = new.read(CARD, CARD_LIMIT) if CARD in changes else None
    if content is None:
        return
    errors = read_card(content.decode("utf-8", "replace"), repository.type).errors
    if errors:
        shown = "\n".join(f"- {error}" for error in errors)
        raise BadRequest(f"Invalid metadata in README.md.\n{shown}")


def _with_namespace(session: Session, hub: Hub, repository_id: int, tree: str, content: bytes) -> str:
    oid = object_id("blob", content)
    file = {NAMESPACE_FILE: SmallFile(oid, content)}
    keep_contents(session, hub, file, repository_id=repository_id, user_id=None)
    return change_tree(session, hub, tree, {NAMESPACE_FILE: TreeEntry(FILE, oid)})


class _Guard:
    """Looks at what one commit does to Minari's files."""

    def __init__(
        self, repository: Repository, old: Snapshot, new: Snapshot, changes: Mapping[str, FileChange]
    ) -> None:
        self._repository = repository
        self._old = old
        self._new = new
        self._changes = changes
        self._names = (repository.name, *_former_names(new.session, repository))
        self._is_namespace = new.has(NAMESPACE_FILE)

    def problems(self) -> Iterator[str]:
        """Yield what would make Minari fail."""
        if not self._is_namespace:
            yield from self._problems_at_root()
            return
        content = self._new.read(NAMESPACE_FILE, NAMESPACE_LIMIT)
        if content is None:
            yield f"{NAMESPACE_FILE} is larger than {NAMESPACE_LIMIT} bytes."
            return
        try:
            listed = NamespaceFile.read(content).datasets
        except NamespaceError as error:
            yield str(error)
            listed = ()
        yield from self._problems_of_datasets(listed)

    def _problems_at_root(self) -> Iterator[str]:
        path = metadata_path("")
        if not self._new.has(path) or not {path, NAMESPACE_FILE, f"data/{MAIN_DATA}"} & self._changes.keys():
            return
        content = self._new.read(path, METADATA_LIMIT)
        is_dataset = content is None or looks_like_minari(content) or self._new.has(f"data/{MAIN_DATA}")
        name = self._repository.name
        if is_dataset:
            yield (
                f"{path}: a dataset at the root of a repository has no namespace, and Minari cannot find it again. "
                f'Give it an id with a namespace, such as "{name.removesuffix("-v0")}/{name}", and upload it anew; '
                "its files then lie in a folder of the namespace's repository."
            )
        elif _has_namespaces(self._new.session, self._repository):
            yield (
                f"{path}: Minari takes every repository with this file for a dataset. Rename the file, "
                f"or add a {NAMESPACE_FILE} that contains {{}} beside it."
            )

    def _problems_of_datasets(self, listed: tuple[str, ...]) -> Iterator[str]:
        before = self._listed_before()
        folders = {folder for path in self._changes if (folder := dataset_folder(path))}
        meant = {
            folder for folder in folders if metadata_path(folder) in self._changes and self._is_meant(folder)
        }
        meant |= {
            folder for one in listed if one not in before and (folder := folder_of_id(one, self._names))
        }
        for folder in sorted(meant):
            path = metadata_path(folder)
            if not self._new.has(path):
                continue
            content = self._new.read(path, METADATA_LIMIT)
            if content is None:
                yield f"{path} is larger than {METADATA_LIMIT} bytes, and every listing fetches it."
            else:
                yield from metadata_problems(content, folder, self._names)

    def _is_meant(self, folder: str) -> bool:
        """Whether a ``metadata.json`` of a namespace's repository is a dataset's, be it right or wrong."""
        if self._new.has(f"{folder}/data/{MAIN_DATA}"):
            return True
        content = self._new.read(metadata_path(folder), METADATA_LIMIT)
        return content is not None and looks_like_minari(content)

    def _listed_before(self) -> frozenset[str]:
        content = self._old.read(NAMESPACE_FILE, NAMESPACE_LIMIT)
        try:
            return frozenset(NamespaceFile.read(content).datasets) if content is not None else frozenset()
        except NamespaceError:
            return frozenset()

    def namespace_file(self) -> bytes | None:
        """Return the namespace file as it has to be, or None if it is right (or there is none that can be read)."""
        new = self._new.read(NAMESPACE_FILE, NAMESPACE_LIMIT)
        if new is None:
            return None
        try:
            listed = self._listed_before() | frozenset(NamespaceFile.read(new).datasets)
        except NamespaceError:
            return None
        known = {folder_of_id(one, self._names) for one in listed}
        added = {
            f"{self._repository.name}/{folder}" for folder in self._complete_folders() if folder not in known
        }
        old = self._old.read(NAMESPACE_FILE, NAMESPACE_LIMIT)
        merged = merge_namespace(
            old,
            new,
            present=frozenset(filter(self._is_there, listed | added)),
            added=added,
            namespaces=self._namespaces(),
            deleted_namespaces=self._namespaces_of(change.path for change in self._deleted()),
        )
        return None if merged == new else merged

    def _is_there(self, dataset_id: str) -> bool:
        folder = folder_of_id(dataset_id, self._names)
        return folder is not None and self._new.has(metadata_path(folder))

    def _deleted(self) -> Iterator[FileChange]:
        return (change for change in self._changes.values() if change.new is None)

    def _complete_folders(self) -> Iterator[str]:
        """Yield the datasets whose upload this commit completes (or that it changes and that are complete)."""
        for folder in sorted({folder for path in self._changes if (folder := dataset_folder(path))}):
            content = self._new.read(metadata_path(folder), METADATA_LIMIT)
            if content is None or metadata_problems(content, folder, self._names):
                continue
            inside = self._new.children(f"{folder}/data")
            episodes = sum(entry.is_directory and name.isdecimal() for name, entry in inside.items())
            summary = summarize(content)
            if MAIN_DATA in inside or (summary.total_episodes or 0) <= episodes > 0:
                yield folder

    def _namespaces(self) -> frozenset[str]:
        """Return the namespaces below that have their file, of those listed before or touched now."""
        content = self._old.read(NAMESPACE_FILE, NAMESPACE_LIMIT)
        try:
            before = NamespaceFile.read(content).namespaces if content is not None else ()
        except NamespaceError:
            before = ()
        kept = (one for one in before if self._has_namespace(one))
        touched = (change.path for change in self._changes.values() if change.new is not None)
        return frozenset(kept) | self._namespaces_of(touched)

    def _has_namespace(self, name: str) -> bool:
        folder = folder_of_id(name, self._names)
        return folder is not None and self._new.has(f"{folder}/{NAMESPACE_FILE}")

    def _namespaces_of(self, paths: Iterator[str]) -> frozenset[str]:
        """Return the namespaces whose files lie at ``paths``."""
        return frozenset(
            f"{self._repository.name}/{path.removesuffix('/' + NAMESPACE_FILE)}"
            for path in paths
            if path.endswith(f"/{NAMESPACE_FILE}")
        )


def _former_names(session: Session, repository: Repository) -> tuple[str, ...]:
    """Return the names under which the repository was known; Minari's ids may still use them."""
    return tuple(session.scalars(select(Redirect.name_key).where(Redirect.repository_id == repository.id)))


def _has_namespaces(session: Session, repository: Repository) -> bool:
    """Whether the owner has other repositories with datasets that Minari lists."""
    others = (
        select(DatasetFacts.path)
        .join(Repository, Repository.id == DatasetFacts.repository_id)
        .where(Repository.owner_id == repository.owner_id, Repository.id != repository.id)
    )
    return bool(session.scalar(select(exists(others))))
