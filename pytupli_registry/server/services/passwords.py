"""Passwords: Argon2id, with the parameters that argon2-cffi recommends (RFC 9106, low memory)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pytupli_registry.server.errors import BadRequest

__all__ = ["check_password", "hash_password", "verify_password"]

SHORTEST = 10
LONGEST = 1024  # hashing an endless text would keep a thread busy
# A hash of nobody's password with the same parameters: verifying it takes as long as verifying a real one.
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$b64+b64+b64+b64+b64+bw$4v1TtvmuYXxtr3NNh7MHnqL27jXA2fLMPk4Sv+oyyxA"


def check_password(password: str) -> str:
    """Return ``password`` if it may be one.

    Raises:
        BadRequest: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadRequest(f"A password has {SHORTEST} to {LONGEST} characters.")
    return password


def hash_password(password: str) -> str:
    """Return what is stored of a password.

    Raises:
        BadRequest: it is too short or too long, or cannot be encoded.
    """
    return PasswordHasher().hash(_encoded(check_password(password)))


def verify_password(stored: str | None, password: str) -> bool:
    """Return whether ``password`` is the one; takes as long for an account without a password."""
    if len(password) > LONGEST:
        return False
    try:
        PasswordHasher().verify(stored or NOBODYS, password.encode("utf-8", "replace"))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def _encoded(password: str) -> bytes:
    try:
        return password.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequest("The password holds half a character (a lone surrogate).") from error
