"""A fresh Minari file as bytes, laid out column by column without the HDF5 library.

Creating 100,000 datasets through the library costs about 10 s and 3 KB an episode; here the headers of all
episodes are copies of one template whose few numbers are filled in by NumPy. Layout of the file::

    superblock, root group (B-tree, heap, symbol nodes)
    one block an episode: the headers of its group, subgroups and datasets
    global heap: texts of attributes
    columns: all rows of all episodes of one leaf, each starting at a multiple of 64

Everything is in the oldest format version, so any HDF5 library since 1.8 reads *and extends* the file. What is
not ours to lay out (text, JPEG, irregular infos) is added through the library afterwards, see ``append``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.storage.hdf5.attribute_values import (
    AttributeForm,
    TextHeap,
    attribute_form,
    encode_values,
    relocate,
)
from pytupli_registry.storage.hdf5.root_group import RootGroup
from pytupli_registry.storage.hdf5.template import Group, Slot, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf

__all__ = ["Structure", "aligned"]

_ALIGNMENT = 64
_CHUNK = 2048  # episodes whose headers are made at once


@dataclass(frozen=True, slots=True)
class _Cohort:
    """Episodes whose attributes have the same names and forms; their blocks lie together.

    Attributes:
        positions: of the episodes.  # (n,)
        template: of their blocks.
        values: of each attribute.  # (n, bytes of the form)
    """

    positions: NDArray[np.int64]
    template: Template
    values: Mapping[str, tuple[AttributeForm, NDArray[np.uint8]]]

    @property
    def size(self) -> int:
        return len(self.positions) * len(self.template.block)


def aligned(offset: int) -> int:
    """Return the next place where a column may begin."""
    return offset + -offset % _ALIGNMENT


class Structure:
    """Where everything lies in a new file, and the bytes of all of it but the columns.

    Attributes:
        size: of the file.
        header_size: of what comes before the first column; :meth:`chunks` gives exactly so many bytes.
        offsets: of each column by path; columns lie in the order of the leaves, with zeros between them.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        leaves: Sequence[Leaf],
        attributes: Sequence[Mapping[str, Any]],
        groups: Sequence[str] = (),
    ) -> None:
        """Plan the file.

        Args:
            lengths: steps of each episode.  # (N,)
            leaves: of the encoding ``array``, of dtypes that :func:`~.messages.can_encode`.
            attributes: of each episode's group beside ``id`` and ``total_steps``, normalised.
            groups: paths of groups that exist in every episode even if no leaf lies below.
        """
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._row_starts = np.cumsum(self._lengths) - self._lengths
        heap = TextHeap()
        self._cohorts = _find_cohorts(Group.of(leaves, groups), self._lengths, attributes, heap)
        self._root = RootGroup.of([b"episode_%d" % number for number in range(len(self._lengths))])
        heap_start = self._root.size + sum(cohort.size for cohort in self._cohorts)
        self.header_size = heap_start + heap.close()
        self._heap = heap
        for cohort in self._cohorts:
            for form, encoded in cohort.values.values():
                relocate(form, encoded, heap_start)
        self.offsets = self._place_columns(leaves)
        ends = [self.offsets[leaf.path] + self.rows(leaf) * leaf.row_bytes for leaf in leaves]
        self.size = aligned(max(ends, default=self.header_size))  # what is appended begins aligned, too

    def rows(self, leaf: Leaf) -> int:
        """Rows of a leaf over all episodes."""
        return int(self._lengths.sum()) + leaf.extra_row * len(self._lengths)

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes from the start of the file to ``header_size``, in pieces of bounded size."""
        yield self._root.encode(self._block_addresses(), self.size)
        addresses = self._block_addresses()
        for cohort in self._cohorts:
            for first in range(0, len(cohort.positions), _CHUNK):
                part = slice(first, first + _CHUNK)
                yield self._blocks(cohort, part, addresses[cohort.positions[part]])
        yield from self._heap.collections

    def _place_columns(self, leaves: Sequence[Leaf]) -> dict[str, int]:
        offsets, end = {}, self.header_size
        for leaf in leaves:
            offsets[leaf.path] = aligned(end)
            end = offsets[leaf.path] + self.rows(leaf) * leaf.row_bytes
        return offsets

    def _block_addresses(self) -> NDArray[np.uint64]:
        addresses = np.zeros(len(self._lengths), dtype=np.uint64)
        start = self._root.size
        for cohort in self._cohorts:
            addresses[cohort.positions] = start + np.arange(len(cohort.positions)) * len(
                cohort.template.block
            )
            start += cohort.size
        return addresses

    def _blocks(self, cohort: _Cohort, part: slice, addresses: NDArray[np.uint64]) -> bytes:
        template = np.frombuffer(cohort.template.block, dtype=np.uint8)
        blocks = np.tile(template, (len(addresses), 1))
        for slot in cohort.template.slots:
            numbers = self._numbers(slot, cohort.positions[part], addresses)
            blocks[:, slot.at : slot.at + 8] = numbers.view(np.uint8).reshape(-1, 8)
        for name, (form, encoded) in cohort.values.items():
            at = cohort.template.values[name]
            blocks[:, at : at + form.size] = encoded[part]
        return blocks.tobytes()

    def _numbers(
        self, slot: Slot, positions: NDArray[np.int64], addresses: NDArray[np.uint64]
    ) -> NDArray[np.uint64]:
        """Return what a slot holds in the blocks of some episodes."""
        if slot.leaf is None:
            return addresses + np.uint64(slot.relative)
        rows, leaf = self._lengths[positions] + slot.leaf.extra_row, slot.leaf
        if slot.kind == "rows":
            return rows.astype("<u8")
        if slot.kind == "bytes":
            return (rows * leaf.row_bytes).astype("<u8")
        first_rows = self._row_starts[positions] + positions * leaf.extra_row
        return (self.offsets[leaf.path] + first_rows * leaf.row_bytes).astype("<u8")


def _find_cohorts(
    group: Group, lengths: NDArray[np.int64], attributes: Sequence[Mapping[str, Any]], heap: TextHeap
) -> list[_Cohort]:
    found: dict[tuple[tuple[str, AttributeForm], ...], list[int]] = {}
    for position, values in enumerate(attributes):
        forms = tuple((name, attribute_form(value)) for name, value in values.items())
        found.setdefault(forms, []).append(position)
    number = AttributeForm(np.dtype(np.int64), ())
    cohorts = []
    for forms, members in found.items():
        positions = np.array(members, dtype=np.int64)
        values = {
            "id": (number, encode_values(number, positions, heap)),
            "total_steps": (number, encode_values(number, lengths[positions], heap)),
        }
        for name, form in forms:
            values[name] = (form, encode_values(form, [attributes[member][name] for member in members], heap))
        template = Template(group, [(name, form) for name, (form, _) in values.items()])
        cohorts.append(_Cohort(positions, template, values))
    return cohorts
