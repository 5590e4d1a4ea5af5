"""Signed URLs that stand for one thing: what the path says must be what was signed."""

from __future__ import annotations

from typing import Any

from pytupli_registry.server.errors import Forbidden
from pytupli_registry.server.services.hub import Hub

__all__ = ["read_signed"]


def read_signed(hub: Hub, purpose: str, signature: str, **path: str | int) -> dict[str, Any]:
    """Return what was signed, if it was signed for the thing that ``path`` names.

    Raises:
        Forbidden: the signature is not ours, is over, or belongs to another URL.
    """
    said = hub.signer.read(purpose, signature)
    if any(said.get(key) != value for key, value in path.items()):
        raise Forbidden("This link was made for another file. Ask for a new one.")
    return said
