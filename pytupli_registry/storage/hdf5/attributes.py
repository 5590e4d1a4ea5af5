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

    from h5py import h5g, h5t

__all__ = ["FACTS", "MAX_ATTRIBUTES", "AttributeReader", "field_name", "plain_fact", "plain_seed"]

FACTS = ("recorded_at", "recorded_by", "policy")
_OPTIONS = "options/"
_MAX_BYTES = 1 << 20
MAX_ATTRIBUTES = 1024


def field_name(attribute: str) -> str:
    """Return the episode field an attribute is kept in: ``options/mass`` → ``options.mass``, ``month`` → ``metadata.month``."""
    if attribute in {"id", "total_steps", "seed", *FACTS}:
        return attribute
    if attribute.startswith(_OPTIONS):
        return "options." + attribute.removeprefix(_OPTIONS).replace("/", ".")
    return "metadata." + attribute


class AttributeReader:
    """Reads the attributes of one episode after another; remembers the types, which repeat."""

    def __init__(self, path: Path) -> None:
        import h5py  # noqa: PLC0415
        from h5py import h5a  # noqa: PLC0415

        self._path = path
        self._h5a = h5a
        self._is_text = h5py.check_string_dtype
        self._is_reference = h5py.check_ref_dtype
        self._types: dict[bytes, tuple[h5t.TypeID, np.dtype[Any], bool]] = {}

    def facts(self, where: str, group: h5g.GroupID) -> dict[str, Any]:
        """Return the attributes of an episode by field name: bool, int, float, str, arrays as JSON text.

        Raises:
            UnsafeFile: an attribute is huge, or holds something that is neither a number nor text.
        """
        return {
            field_name(name): plain_fact(name, value) for name, value in self.values(where, group).items()
        }

    def values(self, where: str, group: h5g.GroupID) -> dict[str, Any]:
        """Return the attributes of an episode as they are: arrays, NumPy scalars, str, None.

        Raises:
            UnsafeFile: an attribute is huge, or holds something that is neither a number nor text.
        """
        if self._h5a.get_num_attrs(group) > MAX_ATTRIBUTES:
            raise UnsafeFile(self._path, f"it has more than {MAX_ATTRIBUTES} attributes", where=where)
        names: list[bytes] = []
        self._h5a.iterate(group, names.append)
        return {name.decode("utf-8", errors="replace"): self._value(where, group, name) for name in names}

    def _value(self, where: str, group: h5g.GroupID, name: bytes) -> Any:  # noqa: ANN401
        attribute = self._h5a.open(group, name)
        shape = attribute.shape
        if shape is None:
            return None
        dtype, is_text = self._type(where, name, attribute.get_type())
        if math.prod(shape) * dtype.itemsize > _MAX_BYTES:
            raise UnsafeFile(self._path, f"the attribute {name!r:.80} has the shape {shape}", where=where)
        values = np.zeros(shape, dtype=dtype)
        attribute.read(values)
        if not is_text:
            return values[()]
        if shape == ():
            return _decode(values[()])
        return np.array([_decode(value) for value in values.ravel().tolist()], dtype=np.str_).reshape(shape)

    def _type(self, where: str, name: bytes, type_id: h5t.TypeID) -> tuple[np.dtype[Any], bool]:
        known = self._types.get(name)
        if known is None or not known[0].equal(type_id):
            dtype = type_id.dtype
            is_text = self._is_text(dtype) is not None
            if not is_text and (dtype.kind not in DTYPE_KINDS or self._is_reference(dtype) is not None):
                raise UnsafeFile(
                    self._path,
                    f"the attribute {name!r:.80} has the HDF5 type {dtype}, which is not read",
                    where=where,
                )
            known = self._types[name] = type_id, dtype, is_text
        return known[1], known[2]


def _decode(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def plain_fact(name: str, value: Any) -> Any:  # noqa: ANN401 - what an attribute may hold
    """Return the value of an attribute as the index has it: bool, int, float, str, arrays as JSON text."""
    if isinstance(value, np.ndarray):
        plain: Any = json.dumps(value.tolist(), default=str)
    else:
        plain = value.item() if isinstance(value, np.generic) else value
    return plain_seed(plain) if name == "seed" else plain


def plain_seed(value: Any) -> int | None:  # noqa: ANN401 - what an attribute may hold
    """Return the seed as a number; early Minari releases wrote it as text, ``"None"`` where there was none."""
    if not isinstance(value, str):
        return int(value) if isinstance(value, int | np.integer) else None
    return int(value) if value.isdecimal() and len(value) < 19 else None
