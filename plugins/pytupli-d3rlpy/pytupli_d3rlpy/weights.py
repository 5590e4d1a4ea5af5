"""What ``torch.save`` wrote, read without unpickling: tensors, numbers and texts in dictionaries and lists.

The archive is a zip file of stored records: a pickle that describes the tensors, and their bytes. Each claim of
the description is checked against the bytes that are there, so that nothing larger than the file comes to be.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from typing import TYPE_CHECKING, Any

import torch

from pytupli_d3rlpy.plain_pickle import ForbiddenOperationError, read_plain_pickle

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_weights", "tensors_in"]

_RECORD = re.compile(
    r"[A-Za-z0-9_-]{1,64}/"
    r"(data\.pkl|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id|data/[0-9]{1,9})"
)
_DTYPES = {
    f"torch {name}Storage": dtype
    for name, dtype in {
        "Float": torch.float32,
        "Double": torch.float64,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}
_MAX_RECORDS = 50_000
_MAX_DESCRIPTION = 4 << 20
_MAX_AXES = 16
_MAX_DEPTH = 16
_MAX_VALUES = 1_000_000
_MAX_SHARING = (
    8  # times that the tensors may be larger than the bytes; encoders shared by heads are written once
)


def read_weights(archive: bytes) -> dict[str, Any]:
    """Read the states of networks and optimizers.

    Args:
        archive: what ``torch.save`` wrote, all of it.

    Returns:
        Dictionaries, lists and tuples of tensors on the CPU, numbers and texts, by name.

    Raises:
        ForbiddenOperationError: it asks for anything but these, or claims more than it holds.
        ValueError: it is no such archive, or a broken one.
    """
    storages = _Storages(_records(archive))
    names = {**_DTYPES, "collections OrderedDict": _ordered, "torch._utils _rebuild_tensor_v2": _tensor}
    states = read_plain_pickle(
        storages.description, names=names, persistent=storages.get, max_operations=_MAX_DESCRIPTION
    )
    if not isinstance(states, dict) or not all(isinstance(name, str) for name in states):
        raise ValueError("its weights are not listed by name")
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors_in(states))
    if claimed > _MAX_SHARING * len(archive):
        raise ForbiddenOperationError(f"its tensors claim {claimed} bytes; the file has {len(archive)}")
    return states


def tensors_in(states: Any) -> Iterator[torch.Tensor]:  # noqa: ANN401 - what was read
    """Yield every tensor, as often as it appears.

    Raises:
        ForbiddenOperationError: there is something else than tensors, numbers and texts, or it never ends.
    """
    waiting, left = [(states, 0)], _MAX_VALUES
    while waiting:
        value, depth = waiting.pop()
        left -= 1
        if depth > _MAX_DEPTH or left < 0:
            raise ForbiddenOperationError("it is nested deeper, or has more values, than weights could")
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (dict, list, tuple)):
            parts = value.values() if isinstance(value, dict) else value
            waiting.extend((part, depth + 1) for part in parts)
        elif not isinstance(value, (str, int, float, type(None))):
            raise ForbiddenOperationError("it has something among its weights that is none")


def _records(archive: bytes) -> dict[str, bytes]:
    """Return the records by name, without the folder they are in."""
    if archive.count(b"PK\x01\x02") > _MAX_RECORDS:
        raise ForbiddenOperationError("its weights have more parts than they could need")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return dict(_stored(opened, len(archive)))
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        OverflowError,
        EOFError,
        KeyError,
    ) as error:
        raise ValueError(f"its weights are a broken archive ({error!s:.80})") from error


def _stored(archive: zipfile.ZipFile, size: int) -> Iterator[tuple[str, bytes]]:
    found: set[str] = set()
    for record in archive.infolist():
        if not _RECORD.fullmatch(record.filename):
            raise ForbiddenOperationError(
                f"its weights have a part {record.filename!r:.80}, which torch does not write"
            )
        if record.compress_type != zipfile.ZIP_STORED or record.flag_bits & 1:
            raise ForbiddenOperationError(
                "a part of its weights is compressed or encrypted; torch only stores"
            )
        name = record.filename.partition("/")[2]
        size -= record.file_size
        if name in found or size < 0:
            raise ForbiddenOperationError("the parts of its weights overlap")
        found.add(name)
        yield name, archive.read(record)


class _Storages:
    """The bytes of tensors, by number."""

    def __init__(self, records: dict[str, bytes]) -> None:
        if "data.pkl" not in records or records.get("byteorder", b"little") != b"little":
            raise ValueError("its weights are not an archive of torch.save on a little-endian machine")
        self.description = records.pop("data.pkl")
        if len(self.description) > _MAX_DESCRIPTION:
            raise ForbiddenOperationError("the description of its weights is larger than it could be")
        self._records = records
        self._read: dict[str, torch.Tensor] = {}

    def get(self, identity: Any) -> torch.Tensor:  # noqa: ANN401 - as the file has it
        """Return one, flat; the same one for the same number."""
        kind, dtype, number, _, count = identity
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(number, str):
            raise ForbiddenOperationError("it refers to something that is no tensor")
        if number not in self._read:
            self._read[number] = _flat(self._records.pop(f"data/{number}"), dtype)
        storage = self._read[number]
        if storage.dtype != dtype or type(count) is not int or storage.numel() != count:
            raise ForbiddenOperationError(
                f"it claims other numbers than the {storage.numel()} that there are"
            )
        return storage


def _ordered() -> dict[Any, Any]:
    """Return an empty one, as torch makes them: what ``dict`` is given could be keys that take years to hash."""
    return {}


def _flat(content: bytes, dtype: torch.dtype) -> torch.Tensor:
    if len(content) % dtype.itemsize:
        raise ValueError("the bytes of a tensor are cut off")
    if not content:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(bytearray(content), dtype=dtype)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor:  # noqa: ANN401 - checked here
    """Return a view of a storage; ``requires_grad`` and hooks, which follow, are the network's business."""
    numbers = (offset, *size, *stride)
    if not isinstance(storage, torch.Tensor) or not all(
        type(number) is int and number >= 0 for number in numbers
    ):
        raise ForbiddenOperationError("a tensor in it is described by something else than sizes")
    if len(size) != len(stride) or len(size) > _MAX_AXES:
        raise ValueError("a tensor in it has a size that does not fit its strides")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    count = math.prod(size)
    if count > storage.numel() or (count and last >= storage.numel()):
        raise ForbiddenOperationError(
            f"a tensor in it claims {count} numbers of a storage of {storage.numel()}"
        )
    return storage.as_strided(size, stride, offset)
