"""What a dataset's filters keep, as a hash that is the same for everyone who keeps the same.

The hash is taken of the data that is kept and not of the filters: docs/decisions/0010-views.md defines every byte.
Checksums of episodes come from the index where it has them, so that nothing of the data itself has to be read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from zlib_ng.zlib_ng import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.leaves import Leaf

__all__ = ["Selection", "episode_checksums", "select"]

_FORMAT = "pytupli.selection.1"
_ABSENT = crc32(b"pytupli: no such leaf")


@runtime_checkable
class _HoldsFrames(Protocol):
    """Columns that can give JPEG images as they were written; decoders differ, files do not."""

    def encoded_frames(self, path: str, position: int) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The parts of the hash, so that a difference can be told.

    Attributes:
        episodes: number of episodes kept.
        steps: number of their steps.
        transitions: number of those that the step filter keeps.
        spaces: SHA-256 of the observation space and the action space.
        lengths: SHA-256 of the kept episodes' lengths.
        leaves: SHA-256 of dtype, shape and the kept episodes' checksums, by path.
        mask: SHA-256 of which steps are kept.
    """

    episodes: int
    steps: int
    transitions: int
    spaces: str
    lengths: str
    leaves: Mapping[str, str]
    mask: str

    @property
    def sha256(self) -> str:
        """The hash by which the selection is cited."""
        return _hash(_canonical({"format": _FORMAT, **asdict(self)}))

    def differences(self, other: Selection) -> list[str]:
        """Return what tells another selection apart from this one, in words; nothing if they are the same."""
        found = [
            f"{name}: {before:,} became {after:,}"
            for name in ("episodes", "steps", "transitions")
            if (before := getattr(self, name)) != (after := getattr(other, name))
        ]
        if self.spaces != other.spaces:
            found.append("the spaces are others")
        if self.lengths != other.lengths and self.episodes == other.episodes:
            found.append("the lengths of episodes are others")
        # Other episodes have other values: to list every leaf would say nothing new.
        if self.lengths == other.lengths:
            found += _changed_leaves(self.leaves, other.leaves)
            if self.mask != other.mask:
                found.append("other steps are kept")
        return found or ([] if self == other else ["other episodes are kept"])


def select(dataset: Dataset) -> Selection:
    """Return what the filters of a dataset keep.

    Leaves that the index has no checksums of, which are those without a fixed shape, are read.
    """
    positions = dataset.positions
    lengths = dataset.table.lengths[positions]
    mask = dataset.step_mask
    kept = np.ones(int(lengths.sum()), dtype=np.bool_) if mask is None else mask
    spaces = {"observations": dataset.metadata.observation_space, "actions": dataset.metadata.action_space}
    return Selection(
        episodes=len(positions),
        steps=int(lengths.sum()),
        transitions=int(np.count_nonzero(kept)),
        spaces=_hash(_canonical(spaces)),
        lengths=_hash(lengths.astype("<i8").tobytes()),
        leaves={path: _of_leaf(dataset, dataset.leaves[path]) for path in sorted(dataset.leaves)},
        mask=_hash(np.packbits(kept, bitorder="little").tobytes()),
    )


def episode_checksums(dataset: Dataset, path: str) -> NDArray[np.uint32]:
    """Return a checksum of one leaf for each episode that is kept.  # (n,)

    Args:
        dataset: the dataset.
        path: the leaf; it is read where the index has no checksums of it.
    """  # noqa: D415 - the shape ends the line
    known = dataset.table.checksums.get(path)
    if known is not None:
        return known[dataset.positions]
    leaf = dataset.leaves[path]
    return np.array([_checksum(dataset, leaf, int(at)) for at in dataset.positions], dtype=np.uint32)


def _of_leaf(dataset: Dataset, leaf: Leaf) -> str:
    kind = {
        "dtype": None if leaf.dtype is None else leaf.dtype.str,
        "row_shape": list(leaf.row_shape),
        "extra_row": leaf.extra_row,
        "encoding": leaf.encoding,
    }
    return _hash(_canonical(kind) + episode_checksums(dataset, leaf.path).astype("<u4").tobytes())


def _checksum(dataset: Dataset, leaf: Leaf, position: int) -> int:
    if leaf.encoding == "jpeg" and isinstance(dataset.reader, _HoldsFrames):
        return _joined(dataset.reader.encoded_frames(leaf.path, position))
    value = dataset.reader.episode_value(leaf.path, position)
    if value is None:
        return _ABSENT
    if isinstance(value, list):
        return _joined([text.encode("utf-8", "surrogatepass") for text in value])
    return _of_array(np.asarray(value), shaped=not leaf.is_array)


def _of_array(value: NDArray[Any], *, shaped: bool) -> int:
    """Return what the index has for arrays: the CRC-32 of their bytes; shapes that may change are a part of it."""
    start = crc32(_canonical([value.dtype.str, list(value.shape)])) if shaped else 0
    return crc32(np.ascontiguousarray(value).tobytes(), start) if value.nbytes else start


def _joined(parts: list[bytes]) -> int:
    """Return the CRC-32 of pieces, each behind its length, so that a border that moves is seen."""
    found = 0
    for part in parts:
        found = crc32(part, crc32(len(part).to_bytes(8, "little"), found))
    return found


def _changed_leaves(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [
        *(f"{path} is new" for path in after if path not in before),
        *(f"{path} is gone" for path in before if path not in after),
        *(f"{path} has other values" for path in before if path in after and before[path] != after[path]),
    ]


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
