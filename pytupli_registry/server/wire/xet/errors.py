"""The one error of the Xet formats."""

from __future__ import annotations

from pytupli_registry.server.errors import BadRequest

__all__ = ["XetFormatError"]


class XetFormatError(BadRequest):
    """Bytes that are no xorb, no shard or no hash; the Hub's answer is 400, which ``hf_xet`` does not retry."""
