"""Recognises a file that :mod:`structure` laid out whole, so that h5py need not visit every leaf of every episode.

Our layout is deterministic. What a file seems to say is read with a few NumPy operations, laid out anew, and
compared with the file: every byte outside the columns must be equal. Then HDF5, which starts at the superblock and
follows addresses within those bytes, cannot find anything but what was laid out. Any difference at all (another
writer, episodes appended through HDF5, texts, damage, malice) leaves the file to :mod:`scan`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import FormatError
from pytupli_registry.storage.hdf5.attribute_values import AttributeForm
from pytupli_registry.storage.hdf5.attributes import MAX_ATTRIBUTES, field_name, plain_fact
from pytupli_registry.storage.hdf5.block import Block, ForeignLayout
from pytupli_registry.storage.hdf5.description import MAX_LEAVES, Found, Scan, describe
from pytupli_registry.storage.hdf5.messages import TEXT
from pytupli_registry.storage.hdf5.root_group import RootGroup
from pytupli_registry.storage.hdf5.structure import Structure
from pytupli_registry.storage.hdf5.template import Group, Template
from pytupli_registry.storage.hdf5.types import StoredType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf
    from pytupli_registry.dataset.metadata import DatasetMetadata

__all__ = ["recognise"]

_ROOT_BYTES = 1 << 10  # more than what comes before the names of the root group
_NAME_BYTES = 16  # of each name in the root's heap, below ten million episodes
_SMALLEST_BLOCK = 256  # bytes; headers of an episode take more
_MAX_COHORTS = 1024
_CHUNK_BYTES = 1 << 21  # compared at once
_NUMBER = AttributeForm(np.dtype(np.int64), ())
_FIRST = (("id", _NUMBER), ("total_steps", _NUMBER))
_PYTHON = {np.dtype(np.bool_), np.dtype(np.int64), np.dtype(np.float64)}
_REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])


def recognise(path: Path, metadata: DatasetMetadata) -> Scan | None:
    """Return what :func:`~.scan.scan` would find in a file that we laid out whole; None for any other file.

    Raises:
        UnsafeFile: see :func:`~.scan.scan`.
        FormatError: it cannot be read, or is no dataset of the metadata's spaces.
        SpaceError: the metadata describes no space.
    """
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except ValueError:  # an empty file
        return None
    except OSError as error:
        raise FormatError(path, f"it cannot be read ({error.strerror})") from error
    try:
        claim = _claim(data)
        offsets, facts = _proven(data, claim), _facts(claim.attributes)
    except ForeignLayout:
        return None
    found = {
        leaf.path: _found(leaf, claim.lengths, offsets[leaf.path])
        for leaf in sorted(claim.leaves, key=_name_order)
    }
    leaves = describe(path, metadata, claim.lengths, found)
    return Scan(claim.lengths, leaves, facts)


@dataclass(frozen=True, slots=True)
class _Cohort:
    """Blocks that are alike but for their numbers.

    Attributes:
        block: what the first of them says.
        template: of all.
        rows: their bytes.  # (n, bytes of the template)
    """

    block: Block
    template: Template
    rows: NDArray[np.uint8]

    def numbers(self, name: str) -> NDArray[np.int64]:
        """Return an attribute that is one integer."""
        at = self.template.values[name]
        return np.ascontiguousarray(self.rows[:, at : at + 8]).view("<i8").ravel().astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a file seems to say: the arguments of :class:`Structure`.

    Attributes:
        lengths: steps of each episode.  # (N,)
        leaves: in the order of their columns.
        attributes: of each episode.
    """

    lengths: NDArray[np.int64]
    leaves: tuple[Leaf, ...]
    attributes: list[dict[str, Any]]


def _claim(data: NDArray[np.uint8]) -> _Claim:
    """Read what a file seems to say."""
    count = RootGroup.name_bytes(data[:_ROOT_BYTES].tobytes()) // _NAME_BYTES
    if not 0 < count <= len(data) // _SMALLEST_BLOCK:
        raise ForeignLayout
    cohorts, end = _cohorts(
        data, RootGroup.of([b"episode_%d" % number for number in range(count)]).size, count
    )
    positions = np.concatenate([cohort.numbers("id") for cohort in cohorts])
    given = np.concatenate([cohort.numbers("total_steps") for cohort in cohorts])
    if not np.array_equal(np.sort(positions), np.arange(count)):
        raise ForeignLayout
    # Python's sum does not overflow; NumPy's might just come out right.
    if int(given.min()) < 1 or sum(given.tolist()) > len(data):
        raise ForeignLayout
    lengths = np.empty(count, dtype=np.int64)
    lengths[positions] = given
    return _Claim(lengths, cohorts[0].block.leaves, _attributes(cohorts, count, _texts(data, end)))


def _attributes(
    cohorts: list[_Cohort], count: int, texts: Mapping[tuple[int, int], str]
) -> list[dict[str, Any]]:
    """Return the attributes of each episode beside ``id`` and ``total_steps``."""
    attributes: list[dict[str, Any]] = [{} for _ in range(count)]
    for cohort in cohorts:
        members = cohort.numbers("id").tolist()
        for name, form in cohort.block.attributes[len(_FIRST) :]:
            at = cohort.template.values[name]
            values = _values(form, cohort.rows[:, at : at + form.size], texts)
            for position, value in zip(members, values, strict=True):
                attributes[position][name] = value
    return attributes


def _cohorts(data: NDArray[np.uint8], start: int, count: int) -> tuple[list[_Cohort], int]:
    """Return the cohorts that begin at an address, of ``count`` episodes in all, and where they end."""
    cohorts: list[_Cohort] = []
    left = count
    while left:
        block = Block.read(data, start)
        names = [name for name, _ in block.attributes]
        if (
            len(cohorts) >= _MAX_COHORTS
            or block.attributes[: len(_FIRST)] != _FIRST
            or not len({field_name(name) for name in names}) == len(names) <= MAX_ATTRIBUTES
        ):
            raise ForeignLayout
        cohort = _alike(data[start:], block, left)
        cohorts.append(cohort)
        left -= len(cohort.rows)
        start += cohort.rows.size
    return cohorts, start


def _alike(data: NDArray[np.uint8], block: Block, most: int) -> _Cohort:
    """Return the blocks at the start of the data that are like one."""
    try:
        template = Template(Group.of(block.leaves), block.attributes)
    except (ValueError, struct.error) as error:  # more than fits in a message
        raise ForeignLayout from error
    expected = np.frombuffer(template.block, dtype=np.uint8)
    free = np.zeros(len(expected), dtype=np.bool_)
    for slot in template.slots:
        free[slot.at : slot.at + 8] = True
    for name, form in block.attributes:
        free[template.values[name] : template.values[name] + form.size] = True
    most = min(most, len(data) // len(expected))
    rows = data[: most * len(expected)].reshape(most, len(expected))
    alike, chunk, largest = 0, 1, max(_CHUNK_BYTES // len(expected), 1)
    while alike < most:
        same = ((rows[alike : alike + chunk] == expected) | free).all(axis=1)
        alike += len(same) if same.all() else int(np.argmin(same))
        if not same.all():
            break
        chunk = min(2 * chunk, largest)
    if alike == 0:
        raise ForeignLayout
    return _Cohort(block, template, rows[:alike])


def _texts(data: NDArray[np.uint8], start: int) -> Mapping[tuple[int, int], str]:
    """Return the texts in the heap that begins at an address, by address of the collection and number."""
    found: dict[tuple[int, int], str] = {}
    while (collection := data[start : start + 16].tobytes())[:4] == b"GCOL":
        (size,) = struct.unpack_from("<Q", collection.ljust(16, b"\0"), 8)
        content, at = data[start : start + size].tobytes(), 16
        while at + 16 <= len(content):
            number, length = struct.unpack_from("<H6xQ", content, at)
            if number == 0 or at + 16 + length > len(content):
                break
            found[start, number] = _text(content[at + 16 : at + 16 + length])
            at += 16 + length + -length % 8
        if size < 16:
            raise ForeignLayout
        start += size
    return found


def _text(encoded: bytes) -> str:
    try:
        text = encoded.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ForeignLayout from error
    if "\0" in text:  # HDF5 would end it there
        raise ForeignLayout
    return text


def _values(form: AttributeForm, rows: NDArray[np.uint8], texts: Mapping[tuple[int, int], str]) -> list[Any]:
    """Return one attribute of the episodes of a cohort as :func:`~.attribute_values.normalise` gave it."""
    encoded = np.ascontiguousarray(rows)
    if encoded.size == 0:
        raise ForeignLayout
    if form.dtype is not TEXT:
        numbers = encoded.view(form.dtype).reshape(len(rows), *form.shape)
        plain = form.shape == () and form.dtype in _PYTHON
        return numbers.tolist() if plain else list(numbers)
    references = encoded.reshape(-1).view(_REFERENCE)
    said = zip(
        references["length"].tolist(),
        references["address"].tolist(),
        references["number"].tolist(),
        strict=True,
    )
    try:
        found = [texts[address, number] if length else "" for length, address, number in said]
    except KeyError as error:
        raise ForeignLayout from error
    if form.shape == ():
        return found
    size = len(found) // len(rows)
    return [
        np.array(found[first : first + size], dtype=np.str_).reshape(form.shape)
        for first in range(0, len(found), size)
    ]


def _proven(data: NDArray[np.uint8], claim: _Claim) -> Mapping[str, int]:
    """Lay the claim out again and compare; return where each column begins."""
    try:
        structure = Structure(claim.lengths, claim.leaves, claim.attributes)
        if structure.size != len(data):
            raise ForeignLayout
        end = 0
        for chunk in structure.chunks():
            if data[end : end + len(chunk)].tobytes() != chunk:
                raise ForeignLayout
            end += len(chunk)
    except (ValueError, OverflowError, struct.error) as error:  # more than the format holds
        raise ForeignLayout from error
    ends = [
        end,
        *(structure.offsets[leaf.path] + structure.rows(leaf) * leaf.row_bytes for leaf in claim.leaves),
    ]
    starts = [*(structure.offsets[leaf.path] for leaf in claim.leaves), structure.size]
    if end != structure.header_size or any(
        data[gap:start].any() for gap, start in zip(ends, starts, strict=True)
    ):
        raise ForeignLayout
    return structure.offsets


def _name_order(leaf: Leaf) -> list[bytes]:
    """Order leaves as HDF5 visits them: by name, bytewise, level by level."""
    return [part.encode() for part in leaf.path.split("/")]


def _found(leaf: Leaf, lengths: NDArray[np.int64], offset: int) -> Found:
    """Return a leaf as h5py would have met it, one episode after another."""
    rows = lengths + leaf.extra_row
    starts = offset + (np.cumsum(rows) - rows) * leaf.row_bytes
    kind = StoredType("number", leaf.dtype, exact=True)
    count = len(lengths)
    shapes = [(length, *leaf.row_shape) for length in rows.tolist()]
    return Found(list(range(count)), shapes, [kind] * count, starts.tolist())


def _facts(attributes: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the attributes by full field name, one value an episode, None where there is none."""
    found: dict[str, list[Any]] = {}
    for position, values in enumerate(attributes):
        for name, value in values.items():
            if (known := field_name(name)) not in found:
                found[known] = [None] * len(attributes)
            found[known][position] = plain_fact(name, value)
    if len(found) > MAX_LEAVES:
        raise ForeignLayout
    return found
