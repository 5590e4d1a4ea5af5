"""``namespace_metadata.json``: which datasets stock Minari finds in a repository, and what it says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["datasets_of", "merged_namespace", "read_namespace"]

_LARGEST = 1 << 20
FILE = "namespace_metadata.json"


def read_namespace(content: bytes | None, path: str = FILE) -> dict[str, Any]:
    """Read a namespace file; one that is not there says nothing.

    Raises:
        FormatError: Minari could not read it.
    """
    if content is None:
        return {}
    try:
        said = json.loads(content) if len(content) <= _LARGEST else None
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"it is not JSON ({error!s:.120})") from error
    if not isinstance(said, dict):
        raise FormatError(path, "it is no JSON object, or too large")
    for key in ("datasets", "namespaces"):
        names = said.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FormatError(path, "it has to be a list of texts", where=key)
    return said


def datasets_of(content: bytes | None, name: str) -> tuple[str, ...]:
    """Return the paths of the datasets that a namespace lists, within its repository.

    Args:
        content: of the file.
        name: of the repository.

    Raises:
        FormatError: Minari could not read the file.
    """
    listed = read_namespace(content).get("datasets", [])
    return tuple(sorted({one.removeprefix(f"{name}/") for one in listed if one.startswith(f"{name}/")}))


def merged_namespace(
    remote: bytes | None, local: bytes | None, *, name: str, added: Iterable[str], description: str = ""
) -> bytes:
    """Return the namespace file as it has to be, unchanged where it is right.

    What the Hub's file says wins over the local one, and nothing that it lists is lost: others publish too.

    Args:
        remote: the file in the repository.
        local: the one beside the datasets.
        name: of the repository.
        added: paths of the datasets that have to be in it.
        description: of the namespace, where neither says one.

    Raises:
        FormatError: Minari could not read one of the files.
    """
    before = read_namespace(remote)
    said = {**{key: value for key, value in read_namespace(local).items() if value}, **before}
    if description and not said.get("description"):
        said["description"] = description
    paths = set(added)
    said["datasets"] = sorted({*before.get("datasets", []), *(f"{name}/{path}" for path in paths)})
    below = {path.rpartition("/")[0] for path in paths} - {""}
    if below or said.get("namespaces"):
        above = {
            f"{name}/{'/'.join(folder.split('/')[:depth])}" for folder in below for depth in _depths(folder)
        }
        said["namespaces"] = sorted({*before.get("namespaces", []), *above})
    if said == before and remote is not None:
        return remote
    return json.dumps(said, indent=2, ensure_ascii=False).encode() + b"\n"


def _depths(folder: str) -> range:
    return range(1, folder.count("/") + 2)
