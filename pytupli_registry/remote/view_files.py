"""Where views are kept: beside a dataset of the local store, or beside one on a Hub."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytupli_registry.errors import (
    CommitConflict,
    FormatError,
    InvalidReference,
    PytupliError,
    ViewExists,
    ViewNotFound,
)
from pytupli_registry.hub.commits import Addition, commit
from pytupli_registry.hub.snapshots import Hub, Snapshot
from pytupli_registry.references import Reference
from pytupli_registry.remote.views import MOST_BYTES, apply, read_view, view_path
from pytupli_registry.storage.durable import make_directories, write_durably
from pytupli_registry.storage.trust import DATA_NAME, METADATA_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.remote.views import View

__all__ = ["LocalViews", "RemoteViews", "Views", "find", "load_view", "source_of", "split_view", "views_of"]

_SUFFIX = ".json"
_DIGEST = re.compile(r"[0-9a-f]{12,64}")
_MOST = 10_000
_ATTEMPTS = 5


class Views(Protocol):
    """The views of one dataset."""

    def names(self) -> list[str]:
        """Return their names, sorted."""

    def read(self, name: str) -> View:
        """Return the view of a name.

        Raises:
            ViewNotFound: there is none.
            FormatError: it is damaged.
        """

    def write(self, view: View, *, replace: bool = False) -> None:
        """Keep a view; one of the same data is left as it is.

        Raises:
            ViewExists: there is one of other data under that name, and ``replace`` is not set.
        """

    def delete(self, name: str) -> None:
        """Take a view away.

        Raises:
            ViewNotFound: there is none.
        """


def views_of(dataset: Dataset, hub: Hub | None = None) -> Views:
    """Return the views beside a dataset, at the commit that it was opened at.

    Args:
        dataset: from the local store or a Hub.
        hub: where it is from; None makes a connection of its own.
    """
    origin = dataset.origin
    if origin is None:
        return LocalViews(Path(dataset.source).parent, dataset.metadata.dataset_id)
    there = hub or Hub(origin.endpoint)
    return RemoteViews(Snapshot(there, origin.repo, origin.revision, origin.commit), origin.path_in_repo)


def split_view(text: str) -> tuple[str, str]:
    """Return the reference of a dataset, and the name of the view, of ``acme/hvac/summer-v0#july``.

    Raises:
        InvalidReference: it cannot be parsed, or names no view.
    """
    reference = Reference.parse_dataset(text)
    if reference.view is None:
        raise InvalidReference(text, "it names no view", hint="As in 'acme/hvac/summer-v0#july'.")
    return str(replace(reference, view=None)), reference.view


def source_of(dataset: Dataset) -> str | None:
    """Return where a dataset on a Hub is, at its commit; None for a local one, which is nowhere for others."""
    return None if dataset.origin is None else dataset.origin.reference


def load_view(dataset: Dataset, name: str, hub: Hub | None = None) -> Dataset:
    """Return what a view keeps of a dataset, checked against its hash.

    Args:
        dataset: all of it.
        name: of the view, or the first 12 digits or more of its hash.
        hub: where it is from; None makes a connection of its own.

    Raises:
        ViewNotFound: there is no such view.
        FormatError: it is damaged.
        SelectionChanged: it keeps something else by now.
    """
    return apply(dataset, find(views_of(dataset, hub), name, dataset.metadata.dataset_id))


def find(views: Views, name: str, where: str) -> View:
    """Return a view by its name, or by the first 12 digits or more of its hash.

    Args:
        views: of a dataset.
        name: of the view, or its hash.
        where: the dataset, for messages.

    Raises:
        ViewNotFound: there is none.
        FormatError: it is damaged.
    """
    try:
        return views.read(name)
    except ViewNotFound:
        if not _DIGEST.fullmatch(name):
            raise
    names = views.names()
    for candidate in names[:_MOST]:
        view = _readable(views, candidate)
        if view is not None and view.sha256.startswith(name):
            return view
    raise ViewNotFound(name, where, known=names)


def _readable(views: Views, name: str) -> View | None:
    try:
        return views.read(name)
    except FormatError:  # one that is damaged hides no other
        return None


class LocalViews:
    """Views beside a dataset of the local store.

    Args:
        home: the dataset's directory, in which ``data`` lies.
        dataset_id: Minari's id, for messages.
    """

    def __init__(self, home: Path, dataset_id: str) -> None:
        self._home = home
        self._dataset_id = dataset_id

    def names(self) -> list[str]:
        """Return their names, sorted."""
        directory = self._home / "views"
        if not directory.is_dir():
            return []
        return sorted(path.stem for path in directory.iterdir() if _is_view(path.name))

    def read(self, name: str) -> View:
        """Return the view of a name."""
        path = self._home / view_path("", name)
        try:
            # Not through links, and not from a pipe, which may never end: the directory may come from a stranger.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise FormatError(path, "it is no regular file")
                return read_view(file.read(MOST_BYTES + 1), name)
        except FileNotFoundError:
            raise ViewNotFound(name, self._dataset_id, known=self.names()) from None
        except OSError as error:
            raise FormatError(path, f"it cannot be read ({error.strerror})") from error

    def write(self, view: View, *, replace: bool = False) -> None:
        """Keep a view; one of the same data is left as it is."""
        if not replace and view.name in self.names():
            _check_same(self, view)
            return
        path = self._home / view_path("", view.name)
        make_directories(path.parent)
        write_durably(path, view.to_json().decode())

    def delete(self, name: str) -> None:
        """Take a view away."""
        path = self._home / view_path("", name)
        try:
            path.unlink()
        except FileNotFoundError:
            raise ViewNotFound(name, self._dataset_id, known=self.names()) from None


class RemoteViews:
    """Views beside a dataset on a Hub.

    Args:
        snapshot: the repository at the commit that is read.
        path: the dataset's folder in it.
    """

    def __init__(self, snapshot: Snapshot, path: str) -> None:
        self._snapshot = snapshot
        self._path = path

    @property
    def _where(self) -> str:
        return f"{self._snapshot.repo}/{self._path}"

    def names(self) -> list[str]:
        """Return their names, sorted."""
        folder = f"{self._path}/views" if self._path else "views"
        found = [file.removeprefix(f"{folder}/") for file in self._snapshot.below(folder)]
        return sorted(name.removesuffix(_SUFFIX) for name in found if _is_view(name))

    def read(self, name: str) -> View:
        """Return the view of a name."""
        path = view_path(self._path, name)
        if path not in self._snapshot.files:
            raise ViewNotFound(name, self._where, known=self.names())
        return read_view(self._snapshot.read(path, MOST_BYTES), name)

    def write(self, view: View, *, replace: bool = False) -> None:
        """Publish a view in one commit; one of the same data is left as it is."""
        path = view_path(self._path, view.name)

        def publish(snapshot: Snapshot) -> None:
            there = RemoteViews(snapshot, self._path)
            if not replace and path in snapshot.files:
                _check_same(there, view)
                return
            self._check_data(snapshot)
            addition = Addition(path, view.to_json())
            message = f"View {view.name} of {self._path}: {view.sha256[:12]}"
            self._commit(snapshot, [addition], [], message)

        self._on_the_branch(publish)

    def _check_data(self, head: Snapshot) -> None:
        """Refuse to save a view beside other data than it was made of."""
        files = [f"{self._path}/data/{name}" for name in (DATA_NAME, METADATA_NAME)]
        if head.look(files) != self._snapshot.look(files):
            raise CommitConflict(
                f"{self._where} was changed while the view was made.",
                hint="Load it again, and save the view anew.",
            )

    def delete(self, name: str) -> None:
        """Take a view away, in one commit."""
        path = view_path(self._path, name)

        def take_away(snapshot: Snapshot) -> None:
            if path not in snapshot.files:
                raise ViewNotFound(name, self._where, known=RemoteViews(snapshot, self._path).names())
            self._commit(snapshot, [], [path], f"Delete the view {name} of {self._path}")

        self._on_the_branch(take_away)

    def _commit(
        self, snapshot: Snapshot, additions: list[Addition], deletions: list[str], message: str
    ) -> None:
        commit(
            snapshot.hub,
            snapshot.repo,
            additions,
            parent=snapshot.commit,
            message=message,
            revision=snapshot.revision,
            deletions=deletions,
        )

    def _on_the_branch(self, change: Callable[[Snapshot], None]) -> None:
        """Make a change at the head of the branch, again where somebody else was faster."""
        hub: Hub = self._snapshot.hub
        for attempt in range(_ATTEMPTS):
            try:
                return change(hub.snapshot(self._snapshot.repo, self._snapshot.revision))
            except CommitConflict:
                if attempt + 1 == _ATTEMPTS:
                    raise
        return None


def _check_same(views: Views, view: View) -> None:
    known = views.read(view.name)
    if known.sha256 != view.sha256:
        raise ViewExists(view.name, known.sha256)


def _is_view(name: str) -> bool:
    try:
        view_path("", name.removesuffix(_SUFFIX))
    except PytupliError:
        return False
    return name.endswith(_SUFFIX)
