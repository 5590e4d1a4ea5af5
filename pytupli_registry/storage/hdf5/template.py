"""The headers of one episode as bytes: its group, subgroups and datasets, with places for the numbers that differ."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytupli_registry.storage.hdf5.messages import (
    HEADER_PREFIX,
    MESSAGE_PREFIX,
    UNDEFINED,
    attribute_message,
    dataspace,
    datatype,
    hard_link,
    header,
    link_info,
    message,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytupli_registry.dataset.leaves import Leaf
    from pytupli_registry.storage.hdf5.attribute_values import AttributeForm

__all__ = ["Group", "Slot", "Template"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A number in the template that differs between episodes.

    Attributes:
        at: byte offset in the template.
        kind: ``block`` (address relative to the episode's block), ``rows``, ``bytes`` or ``address`` of a leaf.
        relative: for ``block``: offset of the target in the block.
        leaf: for the other kinds.
    """

    at: int
    kind: str
    relative: int = 0
    leaf: Leaf | None = None


@dataclass(slots=True)
class Group:
    """A group of the template: subgroups, or the leaf where it ends."""

    children: dict[str, Group]
    leaf: Leaf | None = None

    @classmethod
    def of(cls, leaves: Sequence[Leaf], groups: Sequence[str] = ()) -> Group:
        """Return an episode's group: ``groups`` exist even if no leaf lies below."""
        root = cls({})
        for path in groups:
            root._at(path)
        for leaf in leaves:
            root._at(leaf.path).leaf = leaf
        return root

    def _at(self, path: str) -> Group:
        group = self
        for name in path.split("/"):
            group = group.children.setdefault(name, Group({}))
        return group


class Template:
    """The block of one episode: its headers one after another, and where to fill in numbers.

    Attributes:
        block: its bytes, zeros where numbers are to be filled in.
        slots: places of numbers that follow from the layout.
        values: where the value of each attribute begins.
    """

    def __init__(self, root: Group, forms: Sequence[tuple[str, AttributeForm]]) -> None:
        self.slots: list[Slot] = []
        self.values: dict[str, int] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._add_group(root, forms)
        self.block = b"".join(self._parts)

    def _add_group(self, group: Group, forms: Sequence[tuple[str, AttributeForm]] = ()) -> int:
        """Append a group's header and, after it, its members; return where the header lies."""
        start, messages, links = self._size, [*link_info(len(group.children))], {}
        at = start + HEADER_PREFIX + sum(map(len, messages))
        for name in group.children:
            body, place = hard_link(name)
            links[name] = at + place
            messages.append(body)
            at += len(body)
        for name, form in forms:
            body, place = attribute_message(name, form.dtype, form.shape, form.size)
            self.values[name] = at + place
            messages.append(body)
            at += len(body)
        self._append(header(messages))
        for name, child in group.children.items():
            target = self._add_group(child) if child.leaf is None else self._add_dataset(child.leaf)
            self.slots.append(Slot(links[name], "block", relative=target))
        return start

    def _add_dataset(self, leaf: Leaf) -> int:
        start = self._size
        space = message(0x01, dataspace((0, *leaf.row_shape)))
        kind = message(0x03, datatype(leaf.dtype), constant=True)
        fill = message(0x05, bytes((2, 1, 1, 0)), constant=True)  # allocated early, never filled, no value
        layout = message(0x08, struct.pack("<BBQQ", 3, 1, UNDEFINED, 0))
        self._append(header([space, kind, fill, layout]))
        body = start + HEADER_PREFIX + MESSAGE_PREFIX
        self.slots.append(Slot(body + 8, "rows", leaf=leaf))
        if leaf.row_bytes:
            body += len(space) + len(kind) + len(fill)
            self.slots.append(Slot(body + 2, "address", leaf=leaf))
            self.slots.append(Slot(body + 10, "bytes", leaf=leaf))
        return start

    def _append(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
