"""NumPy arrays as Arrow arrays and back, over their buffers.

pyarrow's own conversions import pandas where it is installed, which costs more than opening a dataset does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["from_arrow", "release_unused", "to_arrow"]


def to_arrow(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return numbers, truth values or texts as an Arrow array.

    Args:
        values: bool, integers, floats or objects (str).  # (n,)
        missing: True where there is no value.  # (n,)
    """
    import pyarrow as pa  # noqa: PLC0415 - reading what is no index must not cost pyarrow's import

    if values.dtype == object:
        gone = np.zeros(len(values), dtype=np.bool_) if missing is None else missing
        texts = [
            None if absent else value for value, absent in zip(values.tolist(), gone.tolist(), strict=True)
        ]
        return pa.array(texts, type=pa.string())
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    kind = pa.from_numpy_dtype(values.dtype)
    data = (
        np.packbits(values, bitorder="little") if values.dtype == np.bool_ else np.ascontiguousarray(values)
    )
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(data)])


def from_arrow(column: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:  # noqa: ANN401
    """Return an Arrow array of numbers, truth values or texts as NumPy has it, and which values are missing.

    Missing numbers read as 0, NaN or False, missing texts as None.
    """
    count = len(column)
    valid, *buffers = column.buffers()
    missing = None if valid is None or column.null_count == 0 else ~_bits(valid, column.offset, count)
    kind = str(column.type)
    if kind == "string":
        texts = np.empty(count, dtype=object)
        texts[:] = column.to_pylist()
        return texts, missing
    if count == 0 or buffers[0] is None:
        values = np.zeros(count, dtype=_dtype(kind))
    elif kind == "bool":
        values = _bits(buffers[0], column.offset, count)
    else:
        dtype = _dtype(kind)
        values = np.frombuffer(buffers[0], dtype=dtype, count=count, offset=column.offset * dtype.itemsize)
    if missing is not None:
        values = values.copy()
        values[missing] = np.nan if values.dtype.kind == "f" else 0
    values.flags.writeable = False
    return values, missing


def _dtype(kind: str) -> np.dtype[Any]:
    return np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))


def _bits(buffer: Any, offset: int, count: int) -> NDArray[np.bool_]:  # noqa: ANN401
    unpacked = np.unpackbits(np.frombuffer(buffer, dtype=np.uint8), bitorder="little")
    return unpacked[offset : offset + count].view(np.bool_)


def release_unused() -> None:
    """Give back what Arrow keeps of memory that it has used."""
    import pyarrow as pa  # noqa: PLC0415

    pa.default_memory_pool().release_unused()
