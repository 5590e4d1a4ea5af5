"""Attributes of episodes as values of episode fields."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import UnsafeFile
from pytupli_registry.storage.extents import DTYPE_KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from h5py import h5a, h5g

__all__ = ["FACTS", "field_name", "read_attributes", "read_value"]

FACTS = ("recorded_at", "recorded_by", "policy")
_OPTIONS = "options/"
_MAX_BYTES = 1 << 20
_MAX_ATTRIBUTES = 1024


def field_name(attribute: str) -> str:
    """Return the episode field an attribute is kept in: ``options/mass`` → ``options.mass``, ``month`` → ``metadata.month``."""
    if attribute in {"id", "total_steps", "seed", *FACTS}:
        return attribute
    if attribute.startswith(_OPTIONS):
        return "options." + attribute.removeprefix(_OPTIONS).replace("/", ".")
    return "metadata." + attribute


def read_attributes(path: Path, where: str, group: h5g.GroupID) -> dict[str, Any]:
    """Return the attributes of an episode by field name: bool, int, float, str, arrays as JSON text.

    Raises:
        UnsafeFile: an attribute is huge, or holds something that is neither a number nor text.
    """
    from h5py import h5a  # noqa: PLC0415

    names: list[bytes] = []
    if h5a.get_num_attrs(group) > _MAX_ATTRIBUTES:
        raise UnsafeFile(path, f"it has more than {_MAX_ATTRIBUTES} attributes", where=where)
    h5a.iterate(group, names.append)
    facts: dict[str, Any] = {}
    for raw in names:
        name = raw.decode("utf-8", errors="replace")
        value = _plain(read_value(path, f"{where}, attribute {name!r:.80}", h5a.open(group, raw)))
        facts[field_name(name)] = _seed(value) if name == "seed" else value
    return facts


def read_value(path: Path, where: str, attribute: h5a.AttrID) -> Any:  # noqa: ANN401 - array, NumPy scalar, str, None
    """Return one attribute as it is.

    Raises:
        UnsafeFile: it is huge, or holds something that is neither a number nor text.
    """
    import h5py  # noqa: PLC0415

    shape, dtype = attribute.shape, attribute.dtype
    if shape is None:
        return None
    text = h5py.check_string_dtype(dtype)
    if text is None and (dtype.kind not in DTYPE_KINDS or h5py.check_ref_dtype(dtype) is not None):
        raise UnsafeFile(path, f"values of the HDF5 type {dtype} are not read", where=where)
    if math.prod(shape) * dtype.itemsize > _MAX_BYTES:
        raise UnsafeFile(path, f"an attribute of shape {shape} is too large", where=where)
    values = np.zeros(shape, dtype=dtype)
    attribute.read(values)
    if text is None:
        return values[()]
    decoded = np.empty(shape, dtype=object)
    decoded[...] = np.vectorize(_decode, otypes=[object])(values) if values.size else values
    return decoded[()]


def _decode(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, np.ndarray):
        return json.dumps(value.tolist(), default=str)
    return value.item() if isinstance(value, np.generic) else value


def _seed(value: Any) -> Any:  # noqa: ANN401
    """Return the seed as a number; early Minari releases wrote it as text, ``"None"`` where there was none."""
    if not isinstance(value, str):
        return value
    return int(value) if value.isdecimal() and len(value) < 19 else None  # noqa: PLR2004 - fits int64
