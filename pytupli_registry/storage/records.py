"""What an index holds once it is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pytupli_registry.dataset.table import EpisodeTable
    from pytupli_registry.storage.extents import StoredLeaf

__all__ = ["Index", "LazyMapping"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Index:
    """What ``episodes.parquet`` says.

    Attributes:
        table: one row an episode.
        leaves: every leaf by path, and where its bytes lie.
        data_size: bytes of the data file it describes.
        data_sha256: hash of that file, in hexadecimal.
        checksums: CRC-32 of each episode's bytes, for every leaf that is an array.  # (N,) uint32 each
    """

    table: EpisodeTable
    leaves: Mapping[str, StoredLeaf]
    data_size: int
    data_sha256: str
    checksums: Mapping[str, NDArray[np.uint32]]


class LazyMapping(Mapping[str, Value], Generic[Value]):
    """Named values that are made when first asked for; pickles as a dictionary of all of them."""

    __slots__ = ("_made", "_make", "_names")

    def __init__(self, names: Iterable[str], make: Callable[[str], Value]) -> None:
        self._names = dict.fromkeys(names)
        self._make = make
        self._made: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Value]]]:
        return dict, (dict(self),)
