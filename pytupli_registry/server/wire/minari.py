"""What stock Minari (0.5.4) makes of a repository, and what would make it fail.

``minari list remote`` reads ``namespace_metadata.json`` of every dataset repository of an organization, and then
``<folder>/data/metadata.json`` of every dataset that these name. One exception anywhere ends the whole listing, and
``minari upload`` and ``minari download`` begin with the same listing. All rules here come from what
``minari/storage/remotes/huggingface.py``, ``storage/hosting.py`` and ``cli.py`` do with these files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytupli_registry.server.wire.json_text import JsonTextError, read_object

__all__ = [
    "METADATA_LIMIT",
    "NAMESPACE_FILE",
    "NAMESPACE_LIMIT",
    "NamespaceError",
    "NamespaceFile",
    "concerns",
    "dataset_folder",
    "folder_of_id",
    "looks_like_minari",
    "merge_namespace",
    "metadata_path",
    "metadata_problems",
    "reconcile_namespaces",
]

NAMESPACE_FILE = "namespace_metadata.json"
NAMESPACE_LIMIT = 1 << 20
METADATA_LIMIT = 16 << 20  # bytes; every listing fetches it
_ABSENT = object()
_DATA = "data"
_METADATA = "metadata.json"
_LONGEST_ID = 512
# minari.dataset.minari_dataset.DATASET_ID_RE, but with a version, which must read back as it was written.
_ID = re.compile(r"(?:[-_\w][-_\w/]*[-_\w]+/)?[-_\w]+?-v(?:0|[1-9][0-9]{0,8})")
_NUMBERS = ("total_episodes", "total_steps", "dataset_size")
# Their sum over an organization is shown with a letter for every thousand, up to T; the list of letters ends there.
_LARGEST_NUMBER = 10**12
_NOT_SHOWN = re.compile("\\[/|[\ud800-\udfff]")


class NamespaceError(ValueError):
    """A ``namespace_metadata.json`` that Minari cannot read; the message says how to fix it."""


@dataclass(frozen=True, slots=True)
class NamespaceFile:
    """The namespace file at the root of a repository.

    Attributes:
        content: everything it says.
        datasets: ids of the datasets that Minari lists, as written.
        namespaces: names of the namespaces below.
    """

    content: Mapping[str, Any]
    datasets: tuple[str, ...]
    namespaces: tuple[str, ...]

    @classmethod
    def read(cls, text: bytes) -> NamespaceFile:
        """Read the file.

        Raises:
            NamespaceError: Minari could not.
        """
        try:
            content = read_object(text)
        except JsonTextError as error:
            raise NamespaceError(
                f"{NAMESPACE_FILE} cannot be read: {error}. Minari needs a JSON object there, such as "
                '{"description": "…", "datasets": []}.'
            ) from error
        return cls(content, _names(content, "datasets"), _names(content, "namespaces"))


def _names(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = content.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NamespaceError(
            f'"{key}" in {NAMESPACE_FILE} must be a list of texts, such as ["walker/expert-v0"].'
        )
    return tuple(names)


def concerns(path: str) -> bool:
    """Return whether a change at ``path`` (a folder ends in a slash) can matter to Minari."""
    *folders, name = path.split("/")
    return name in (NAMESPACE_FILE, "") or _DATA in folders


def dataset_folder(path: str) -> str | None:
    """Return the folder of the dataset that a path belongs to ("" for the root), or None.

    ``a/b-v0/data/0/metadata.json`` belongs to ``a/b-v0``.
    """
    folders = path.split("/")[:-1]
    if _DATA not in folders:
        return None
    return "/".join(folders[: folders.index(_DATA)])


def metadata_path(folder: str) -> str:
    """Return where the metadata of a dataset lies."""
    return f"{folder}/{_DATA}/{_METADATA}" if folder else f"{_DATA}/{_METADATA}"


def folder_of_id(dataset_id: str, names: Collection[str]) -> str | None:
    """Return the folder that Minari looks for a dataset in, or None if that is in another repository.

    Args:
        dataset_id: what the namespace file says.
        names: the repository's name and former names (the Hub ignores their case).
    """
    name, _, folder = dataset_id.partition("/")
    return folder if folder and name.lower() in {known.lower() for known in names} else None


def looks_like_minari(content: bytes) -> bool:
    """Return whether a ``metadata.json`` was meant for Minari, be it right or wrong."""
    try:
        return (
            len(
                read_object(content).keys()
                & {"dataset_id", "total_episodes", "total_steps", "minari_version"}
            )
            > 1
        )
    except JsonTextError:
        return False


def metadata_problems(content: bytes, folder: str, names: Collection[str]) -> tuple[str, ...]:
    """Return what would make Minari fail on a dataset's ``metadata.json``, each with how to fix it.

    Args:
        content: the file.
        folder: where the dataset lies in the repository.
        names: the repository's name first, then its former names.
    """
    path = metadata_path(folder)
    try:
        metadata = read_object(content)
    except JsonTextError as error:
        return (f"{path}: {error}. Upload the dataset again as Minari wrote it.",)
    found = [
        *_id_problems(metadata, folder, tuple(names)),
        *_number_problems(metadata),
        *_text_problems(metadata),
    ]
    return tuple(f"{path}: {problem}" for problem in found)


def _id_problems(metadata: Mapping[str, Any], folder: str, names: tuple[str, ...]) -> Iterator[str]:
    expected = f"{names[0]}/{folder}"
    dataset_id = metadata.get("dataset_id")
    if not isinstance(dataset_id, str):
        yield f'"dataset_id" is missing. Set it to "{expected}".'
    elif folder_of_id(dataset_id, names) != folder:
        yield (
            f'its "dataset_id" is {dataset_id[:200]!r}, but at this path Minari looks for "{expected}". '
            f'Set "dataset_id" to "{expected}", or move the folder to where the id says.'
        )
    elif not _ID.fullmatch(dataset_id) or len(dataset_id) > _LONGEST_ID:
        yield (
            f"Minari cannot parse the id {dataset_id[:200]!r}: a namespace of two or more letters, digits, '-', '_', "
            "then a name that ends in '-v' and a number without leading zeros. Rename the folder (or the repository) "
            'and set "dataset_id" accordingly.'
        )


def _number_problems(metadata: Mapping[str, Any]) -> Iterator[str]:
    for key in _NUMBERS:
        value = metadata.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
            yield f'"{key}" must be a number. Minari writes it when it creates a dataset.'
        elif not 0 <= value <= _LARGEST_NUMBER:
            yield f'"{key}" must lie between 0 and {_LARGEST_NUMBER}.'
    if not isinstance(metadata.get("minari_version"), str):
        yield '"minari_version" must be a text such as "0.5.4".'


def _text_problems(metadata: Mapping[str, Any]) -> Iterator[str]:
    author = metadata.get("author")
    authors = [author] if isinstance(author, str) else author
    if authors is not None and not (isinstance(authors, list) and all(_is_shown(name) for name in authors)):
        yield '"author" must be a text or a list of texts, without "[/".'
    url = metadata.get("docs_url")
    if url is not None and not _is_shown(url, forbidden="["):
        yield '"docs_url" must be a URL without square brackets.'


def _is_shown(text: object, forbidden: str = "") -> bool:
    """Whether a terminal can show the text; rich, which prints Minari's tables, takes ``[/`` for the end of a tag."""
    return (
        isinstance(text, str) and not _NOT_SHOWN.search(text) and not any(sign in text for sign in forbidden)
    )


def merge_namespace(
    old: bytes | None,
    new: bytes,
    *,
    present: Collection[str],
    added: Collection[str] = (),
    namespaces: Collection[str] = (),
    deleted_namespaces: Collection[str] = (),
) -> bytes:
    """Return the namespace file to store, so that writers who did not know of each other lose nothing.

    Minari reads the file, adds its dataset and writes it back, unaware of what others wrote meanwhile. So what the
    old file and the new one list stays listed as long as it exists, and what does not exist goes. Both lists are
    sorted. Everything else is as the new file says. If nothing is to be changed, the bytes stay as they are.

    Args:
        old: the file in the tree that the commit replaces, if there was one that can be read.
        new: the file as the commit would leave it.
        present: ids, of those in ``old``, ``new`` and ``added``, whose dataset is in the resulting tree.
        added: ids to list even if neither file does.
        namespaces: namespaces, of those in ``old`` or new to the tree, whose file is in the resulting tree.
        deleted_namespaces: namespaces whose file the commit deletes.

    Raises:
        NamespaceError: ``new`` cannot be read.
    """
    wanted = NamespaceFile.read(new)
    before = _readable(old)
    listed = {*before.datasets, *wanted.datasets, *added}
    datasets = sorted(listed & set(present))
    # Minari lists a namespace before it uploads the namespace's own file.
    below = sorted({*wanted.namespaces, *namespaces} - set(deleted_namespaces))
    result = dict(wanted.content)
    for key, names in (("datasets", datasets), ("namespaces", below)):
        if names or key in result:
            result[key] = names
    if result == wanted.content:
        return new
    if old is not None and result == before.content:
        return old
    return json.dumps(result, indent=2).encode() + b"\n"


def reconcile_namespaces(base: bytes | None, ours: bytes, theirs: bytes) -> bytes | None:
    """Return the namespace file with what both sides did to it, or None where they contradict each other.

    Names that either side added to a list, or took from it, are in the result, or not; of everything else only one
    side may have changed a key, unless both say the same.

    Args:
        base: what both began with, if there was a file.
        ours: the file on the branch.
        theirs: the file that is to be merged.
    """
    try:
        sides = [NamespaceFile.read(text) for text in (b"{}" if base is None else base, ours, theirs)]
    except NamespaceError:
        return None
    before, one, other = (side.content for side in sides)
    result: dict[str, Any] = {}
    for key in {**one, **other}:
        if key in ("datasets", "namespaces"):
            was, here, there = (set(side.get(key, ())) for side in (before, one, other))
            result[key] = sorted((here | there) - (was - here) - (was - there))
            continue
        base_value, our_value, their_value = (side.get(key, _ABSENT) for side in (before, one, other))
        if base_value not in (our_value, their_value) and our_value != their_value:
            return None
        kept = their_value if our_value == base_value else our_value
        if kept is not _ABSENT:
            result[key] = kept
    return json.dumps(result, indent=2).encode() + b"\n"


def _readable(old: bytes | None) -> NamespaceFile:
    try:
        return NamespaceFile.read(b"{}" if old is None else old)
    except NamespaceError:
        return NamespaceFile({}, (), ())
