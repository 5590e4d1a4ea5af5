"""Nested observations, actions and infos as flat leaves.

Minari keeps a Dict space as one array a key and a Tuple space as one array ``_index_<i>`` an element. A *leaf* is
one such array; its path is its place in the HDF5 file: ``observations``, ``observations/camera``,
``actions/_index_0``, ``infos/energy``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["REWARDS", "TERMINATIONS", "TRUNCATIONS", "Encoding", "Leaf", "Tree", "flatten", "unflatten"]

REWARDS = "rewards"
TERMINATIONS = "terminations"
TRUNCATIONS = "truncations"

Tree = (
    Any  # an array or list of str, or a dict or tuple of trees; recursive aliases do not survive mypy strict
)
Encoding = Literal["array", "text", "jpeg", "irregular"]

_INDEX = "_index_"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One array of every episode.

    Attributes:
        path: its place below an episode, ``observations/camera``.
        dtype: of one value; None for ``text`` and ``irregular`` leaves. ``uint8`` for ``jpeg``.
        row_shape: shape of one row; ``()`` for ``text`` and ``irregular`` leaves.
        extra_row: 1 where an episode has T+1 rows (observations, infos), 0 where it has T.
        encoding: ``array`` (raw numbers), ``text`` (one string a row), ``jpeg`` (one lossy image a row) or
            ``irregular`` (infos whose shape or presence changes between episodes).
    """

    path: str
    dtype: np.dtype[Any] | None
    row_shape: tuple[int, ...]
    extra_row: Literal[0, 1]
    encoding: Encoding = "array"

    @property
    def is_array(self) -> bool:
        """Whether rows are numbers of one dtype and shape, so that the leaf can be one column."""
        return self.encoding == "array"

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of an ``array`` leaf."""
        if self.dtype is None:
            return 0
        size = self.dtype.itemsize
        for extent in self.row_shape:
            size *= extent
        return size


def flatten(tree: Tree, path: str) -> dict[str, Any]:
    """Return the leaves of a nested value by path, in the order of the tree."""
    if isinstance(tree, Mapping):
        found: dict[str, Any] = {}
        for key, value in tree.items():
            found.update(flatten(value, f"{path}/{key}"))
        return found
    if isinstance(tree, tuple):
        found = {}
        for position, value in enumerate(tree):
            found.update(flatten(value, f"{path}/{_INDEX}{position}"))
        return found
    return {path: tree}


def unflatten(leaves: Mapping[str, Any], path: str) -> Tree:
    """Rebuild the nested value below ``path``: the inverse of :func:`flatten`.

    A group whose keys are exactly ``_index_0 … _index_<n-1>`` comes back as a tuple. Returns None if there is no
    leaf at or below ``path``.
    """
    if path in leaves:
        return leaves[path]
    prefix = path + "/"
    children = dict.fromkeys(
        name[len(prefix) :].split("/", 1)[0] for name in leaves if name.startswith(prefix)
    )
    if not children:
        return None
    values = {child: unflatten(leaves, prefix + child) for child in children}
    if set(values) == {f"{_INDEX}{position}" for position in range(len(values))}:
        return tuple(values[f"{_INDEX}{position}"] for position in range(len(values)))
    return values
