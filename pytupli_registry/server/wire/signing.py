"""Signed, expiring texts: upload URLs that prove by themselves what they allow, sessions, Xet tokens."""

from __future__ import annotations

import time
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from pytupli_registry.server.errors import Forbidden

__all__ = ["Signer"]


class Signer:
    """Signs JSON values for one purpose each; a signature for one purpose is worth nothing for another.

    Args:
        secret: the Hub's key.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def sign(self, purpose: str, said: dict[str, Any], *, expires_s: int) -> str:
        """Return a URL-safe text that :meth:`read` gives back for ``expires_s`` seconds."""
        return self._serializer(purpose).dumps({"v": said, "exp": int(time.time()) + expires_s})

    def read(self, purpose: str, text: str) -> dict[str, Any]:
        """Return what was signed.

        Raises:
            Forbidden: it was not signed by this Hub for this purpose, or its time is over.
        """
        try:
            signed = self._serializer(purpose).loads(text)
        except BadSignature as error:
            raise Forbidden("This link was not made by this Hub. Ask for a new one.") from error
        if signed["exp"] < time.time():
            raise Forbidden("This link has expired. Ask for a new one.")
        said: dict[str, Any] = signed["v"]
        return said

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secret, salt=f"pytupli.{purpose}", signer_kwargs={"digest_method": _sha256}
        )


def _sha256(content: bytes = b"") -> Any:  # noqa: ANN401 - hashlib has no public type for it
    import hashlib  # noqa: PLC0415

    return hashlib.sha256(content)
