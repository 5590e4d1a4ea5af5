"""Views: a selection of a dataset under a name, which everyone can load and check.

A view lies beside the data as ``<dataset>/views/<name>.json``: the filters, and the hash of what they kept when it
was saved (:mod:`pytupli_registry.dataset.selection`). The file comes from strangers and is checked as such.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytupli_registry.dataset.selection import Selection, select
from pytupli_registry.errors import FormatError, InvalidReference, SelectionChanged
from pytupli_registry.filters.text import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.dataset.dataset import Dataset

__all__ = ["MOST_BYTES", "View", "apply", "check_name", "make_view", "read_view", "verify", "view_path"]

FORMAT = "pytupli.view"
VERSION = 1
MOST_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,95}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 4000
_MOST_LEAVES = 10_000


@dataclass(frozen=True, slots=True)
class View:
    """A selection under a name.

    Attributes:
        name: its name beside the dataset.
        dataset_id: Minari's id of the dataset it was saved of.
        episodes: the episode filter as canonical text, or None.
        steps: the step filter as canonical text, or None.
        selection: what they kept.
        description: for people.
        source: the dataset it was saved of, at its commit where it has one: ``acme/hvac@1f0c…/summer-v0``.
        created_at: when, in UTC and ISO 8601.
    """

    name: str
    dataset_id: str
    episodes: str | None
    steps: str | None
    selection: Selection
    description: str = ""
    source: str | None = None
    created_at: str | None = None

    @property
    def sha256(self) -> str:
        """The hash by which it is cited."""
        return self.selection.sha256

    def to_json(self) -> bytes:
        """Return the content of its file."""
        content = {"format": FORMAT, "version": VERSION, "sha256": self.sha256, **asdict(self)}
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def view_path(dataset_path: str, name: str) -> str:
    """Return where a view lies: ``summer-v0/views/expert-july.json``.

    Args:
        dataset_path: the dataset's folder, relative to whatever; empty for the root.
        name: the view.

    Raises:
        InvalidReference: this is no name of a view.
    """
    inside = f"views/{check_name(name)}.json"
    return f"{dataset_path}/{inside}" if dataset_path else inside


def check_name(name: str) -> str:
    """Return the name of a view.

    Raises:
        InvalidReference: it is none.
    """
    if not _NAME.fullmatch(name):
        hint = "Names consist of letters, digits, '-' and '_', at most 96 of them."
        raise InvalidReference(name, f"{name!r:.80} is not a name", kind="view", hint=hint)
    return name


def make_view(name: str, dataset: Dataset, *, description: str = "", source: str | None = None) -> View:
    """Return the view that a dataset's filters make.

    Args:
        name: of the view.
        dataset: with the filters.
        description: for people.
        source: where the dataset is, at which commit.

    Raises:
        InvalidReference: this is no name of a view.
        FormatError: the description is too long, or the filters are.
    """
    view = View(
        name=check_name(name),
        dataset_id=dataset.metadata.dataset_id,
        episodes=None if dataset.episode_filter is None else str(dataset.episode_filter),
        steps=None if dataset.step_filter is None else str(dataset.step_filter),
        selection=select(dataset),
        description=description,
        source=source,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return read_view(view.to_json(), name)


def apply(dataset: Dataset, view: View) -> Dataset:
    """Return what a view keeps of a dataset, once it is what it kept when it was saved.

    Raises:
        FilterError: the dataset does not have what the filters name.
        SelectionChanged: they keep something else by now.
    """
    chosen = dataset.where(view.episodes, view.steps)
    verify(chosen, view)
    return chosen


def verify(dataset: Dataset, view: View) -> None:
    """Check that a dataset, with its filters, is what a view kept when it was saved.

    Raises:
        SelectionChanged: it is not; the message says what differs.
    """
    found = select(dataset)
    if found != view.selection:
        differences = view.selection.differences(found)
        raise SelectionChanged(view.name, differences, source=view.source)


def read_view(content: bytes, name: str) -> View:
    """Read the file of a view.

    Args:
        content: of the file, from anybody.
        name: by which it was asked for.

    Raises:
        FormatError: it is no view, of a later format, or does not fit its own hash.
        FilterSyntaxError: a filter in it is none.
    """
    where = f"the view {name!r:.120}"
    loaded = _loaded(content, where)
    if loaded.get("format") != FORMAT:
        raise FormatError(where, "it is no view")
    if loaded.get("version") != VERSION:
        problem = f"its format version is {loaded.get('version')!r:.40}, this library knows {VERSION}"
        raise FormatError(where, problem, hint="A newer pytupli-registry wrote it: upgrade.")
    try:
        view = _view(loaded)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(where, f"it describes no selection ({error!s:.160})") from error
    if view.name != name:
        raise FormatError(where, f"it calls itself {view.name!r:.120}")
    if loaded.get("sha256") != view.sha256:
        raise FormatError(where, "its hash is not the hash of what it lists")
    return view


def _loaded(content: bytes, where: str) -> Mapping[str, Any]:
    if len(content) > MOST_BYTES:
        raise FormatError(where, f"it is larger than {MOST_BYTES} bytes")
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError(where, f"it is not JSON ({error!s:.120})") from error
    if not isinstance(loaded, dict):
        raise FormatError(where, "it is not a JSON object")
    return loaded


def _view(loaded: Mapping[str, Any]) -> View:
    return View(
        name=_text(loaded, "name"),
        dataset_id=_text(loaded, "dataset_id"),
        episodes=_filter(loaded["episodes"]),
        steps=_filter(loaded["steps"]),
        selection=_selection(loaded["selection"]),
        description=_text(loaded, "description"),
        source=None if loaded["source"] is None else _text(loaded, "source"),
        created_at=None if loaded["created_at"] is None else _text(loaded, "created_at"),
    )


def _selection(said: Mapping[str, Any]) -> Selection:
    leaves = said["leaves"]
    if not isinstance(leaves, dict) or len(leaves) > _MOST_LEAVES:
        raise TypeError("leaves: no object of hashes")
    return Selection(
        episodes=_count(said, "episodes"),
        steps=_count(said, "steps"),
        transitions=_count(said, "transitions"),
        spaces=_hash(said["spaces"]),
        lengths=_hash(said["lengths"]),
        leaves={path: _hash(leaves[path]) for path in sorted(leaves)},
        mask=_hash(said["mask"]),
    )


def _filter(text: object) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError("a filter is a text")
    return str(parse(text))


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said[key]
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise TypeError(f"{key}: no text of at most {_LONGEST} characters")
    return value


def _count(said: Mapping[str, Any], key: str) -> int:
    value = said[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise TypeError(f"{key}: no number of them")
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise TypeError("no SHA-256")
    return value
