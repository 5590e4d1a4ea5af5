"""``bytes`` and ``bytearray``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["BytesCodec"]


class BytesCodec:
    """Keeps bytes as they are."""

    name = "bytes"
    suffix = ".bin"

    def accepts(self, value: object, /) -> bool:
        """Accept ``bytes`` and ``bytearray``."""
        return type(value) in {bytes, bytearray}

    def write(self, value: bytes | bytearray, file: BinaryIO, /) -> dict[str, Any]:
        """Write them."""
        file.write(value)
        return {"type": type(value).__name__}

    def read(self, path: Path, details: Mapping[str, Any], /) -> bytes | bytearray:
        """Return them.

        Raises:
            FormatError: the details name another type.
        """
        kind = details.get("type", "bytes")
        if kind not in ("bytes", "bytearray"):
            raise FormatError(path, f"{kind!r:.40} is no type of bytes")
        content = path.read_bytes()
        return bytearray(content) if kind == "bytearray" else content
