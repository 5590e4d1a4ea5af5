"""What a user calls to compare datasets, and to give names to what filters keep of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytupli_registry.api import load
from pytupli_registry.remote.diff import diff_datasets
from pytupli_registry.remote.view_files import find as find_by_name
from pytupli_registry.remote.view_files import source_of, split_view, views_of
from pytupli_registry.remote.views import make_view

if TYPE_CHECKING:
    from pytupli_registry.filters.expression import Expression
    from pytupli_registry.remote.diff import DatasetDiff
    from pytupli_registry.remote.views import View

__all__ = ["delete_view", "diff", "find_view", "list_views", "save_view"]


def diff(
    before: str,
    after: str,
    *,
    episodes: Expression | str | None = None,
    steps: Expression | str | None = None,
) -> DatasetDiff:
    """Compare two datasets, or two revisions of one; of datasets on a Hub the data itself does not travel.

    Args:
        before: a reference, ``acme/hvac@v1/summer-v0``.
        after: another one.
        episodes: compare what this filter keeps.
        steps: likewise.

    Raises:
        PytupliError: as :func:`load`.
    """
    return diff_datasets(load(before, episodes, steps), load(after, episodes, steps))


def save_view(
    reference: str,
    name: str,
    *,
    episodes: Expression | str | None = None,
    steps: Expression | str | None = None,
    description: str = "",
    replace: bool = False,
) -> View:
    """Keep what filters say about a dataset under a name, beside the dataset; on a Hub this is one commit.

    Args:
        reference: the dataset; a view of it may be narrowed further.
        name: by which others load it, ``acme/hvac/summer-v0#name``.
        episodes: keep the episodes for which this filter is true.
        steps: keep the transitions for which this filter is true.
        description: for people.
        replace: put it in the place of a view of other data.

    Raises:
        InvalidReference: this is no name of a view.
        ViewExists: there is a view of other data under that name.
        PytupliError: as :func:`load`, or the Hub refuses.
    """
    dataset = load(reference, episodes, steps)
    view = make_view(name, dataset, description=description, source=source_of(dataset))
    views_of(dataset).write(view, replace=replace)
    return view


def list_views(reference: str) -> list[View]:
    """Return the views beside a dataset, by name.

    Raises:
        FormatError: one of them is damaged.
    """
    views = views_of(load(reference))
    return [views.read(name) for name in views.names()]


def find_view(reference: str) -> View:
    """Return a view without applying it.

    Args:
        reference: ``acme/hvac/summer-v0#expert-july``, or with the first 12 digits or more of its hash as name.

    Raises:
        InvalidReference: the reference names no view.
        ViewNotFound: there is none.
    """
    dataset, name = split_view(reference)
    return find_by_name(views_of(load(dataset)), name, dataset)


def delete_view(reference: str) -> None:
    """Delete a view, ``acme/hvac/summer-v0#expert-july``; the data stays.

    Raises:
        InvalidReference: the reference names no view.
        ViewNotFound: there is none.
    """
    dataset, name = split_view(reference)
    views_of(load(dataset)).delete(name)
