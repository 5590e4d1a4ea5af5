"""Views that were saved beside a dataset on this machine: checked, and published beside it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytupli_registry.errors import FilterError, PytupliError, SelectionChanged
from pytupli_registry.hub.commits import Addition
from pytupli_registry.remote.opening import open_at
from pytupli_registry.remote.view_files import LocalViews
from pytupli_registry.remote.views import apply, read_view, view_path
from pytupli_registry.storage.local import open_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytupli_registry.publishing.local import LocalDataset
    from pytupli_registry.publishing.repository import Repository
    from pytupli_registry.remote.views import View

__all__ = ["ViewFiles", "local_views", "view_files", "view_paths"]


@dataclass(frozen=True, slots=True)
class ViewFiles:
    """What becomes of views in a repository.

    Attributes:
        files: those that are there afterwards.
        problems: what speaks against them.
        warnings: which stay here, and why.
    """

    files: tuple[Addition, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def view_paths(home: Path) -> Iterator[str]:
    """Yield the paths of the views of a dataset, relative to its directory."""
    return (view_path("", name) for name in LocalViews(home, home.name).names())


def local_views(dataset: LocalDataset) -> tuple[list[View], list[str]]:
    """Return the views beside a dataset, as they will be published, and what is wrong with others.

    Each is applied to the data: one that by now keeps something else than its hash says is a problem.
    """
    kept = LocalViews(dataset.directory.parent, dataset.metadata.dataset_id)
    names = kept.names()
    if not names:
        return [], []
    opened = open_directory(dataset.directory)
    views, problems = [], []
    for name in names:
        try:
            view = kept.read(name)
            apply(opened, view)
        except PytupliError as error:
            problems.append(
                f"{dataset.path}, view {name}: {error.message.rstrip('.')}. `pytupli view save … --replace` saves it "
                "anew, `pytupli view delete` takes it away."
            )
        else:
            views.append(replace(view, dataset_id=dataset.metadata.dataset_id))
    return views, problems


def view_files(
    repository: Repository, views: Mapping[str, Sequence[View]], ahead: Collection[str]
) -> ViewFiles:
    """Work out what views a repository lacks; one of the same data under the same name is left as it is.

    Args:
        repository: as it is.
        views: by the path of their dataset, checked.
        ahead: paths of the datasets that have more episodes there, so that views have to be checked again.
    """
    files: list[Addition] = []
    problems: list[str] = []
    warnings: list[str] = []
    repository.look(view_path(path, view.name) for path, found in views.items() for view in found)
    for path, found in views.items():
        fresh = []
        for view in found:
            place = view_path(path, view.name)
            published = repository.read(place)
            if published is None:
                fresh.append(view)
            elif (hash_there := read_view(published, view.name).sha256) == view.sha256:
                files.append(Addition(place, published))
            else:
                problems.append(_conflict(repository, path, view, hash_there))
        misfits = _misfits(repository, path, fresh) if path in ahead and fresh else {}
        warnings += misfits.values()
        files += [
            Addition(view_path(path, view.name), view.to_json()) for view in fresh if view.name not in misfits
        ]
    return ViewFiles(tuple(files), tuple(problems), tuple(warnings))


def _conflict(repository: Repository, path: str, view: View, hash_there: str) -> str:
    published = f"{repository.repo}/{path}#{view.name}"
    return (
        f"{path}, view {view.name}: {repository.repo} has a view of other data under this name ({hash_there:.12}, and "
        f"yours is {view.sha256:.12}), which somebody may have cited. Save yours under another name, or take the "
        f"published one away: `pytupli view delete {published}`."
    )


def _misfits(repository: Repository, path: str, views: Sequence[View]) -> dict[str, str]:
    """Return, by name, why views do not fit the longer dataset that is published."""
    if repository.snapshot is None:
        return {}
    published, found = open_at(repository.snapshot, path), {}
    for view in views:
        try:
            apply(published, view)
        except (FilterError, SelectionChanged) as error:
            filters = (("--episodes", view.episodes), ("--steps", view.steps))
            options = "".join(f" {option} {_quoted(text)}" for option, text in filters if text is not None)
            found[view.name] = (
                f"{path}, view {view.name}: it stays here, since episodes that others appended belong to it "
                f"({error.message.rstrip('.')}). Save it of the published dataset: "
                f"`pytupli view save {repository.repo}/{path} {view.name}{options}`."
            )
    return found


def _quoted(text: str) -> str:
    """Quote a filter for a shell; with double quotes where that will do, since filters are full of single ones."""
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'
