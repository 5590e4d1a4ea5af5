"""Where a dataset goes: ``hvac/summer-v0`` on this machine is ``summer-v0`` in the repository ``acme/hvac``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytupli_registry.errors import InvalidReference

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Destination", "name_problems"]

_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9])?")
# What is a namespace for Minari, and a repository's name for the Hub.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,94}[A-Za-z0-9_]")
_DATASET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*-v(?:0|[1-9][0-9]{0,5})")


@dataclass(frozen=True, slots=True)
class Destination:
    """An organization or user, and the repository where one was named.

    Attributes:
        owner: ``acme``.
        name: of the repository; None takes the benchmark's or namespace's.
    """

    owner: str
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read ``acme`` or ``acme/hvac``, with or without ``hf://``.

        Raises:
            InvalidReference: it is neither.
        """
        owner, slash, name = text.removeprefix("hf://").partition("/")
        if not _OWNER.fullmatch(owner) or (slash and not _NAME.fullmatch(name)):
            raise InvalidReference(
                text,
                "it names no organization, user or repository of the Hub",
                kind="destination",
                hint="Use `acme`, or `acme/hvac`.",
            )
        return cls(owner, name or None)


def name_problems(name: str, paths: tuple[str, ...]) -> Iterator[str]:
    """Yield what speaks against a repository of this name with datasets at these paths."""
    if not _NAME.fullmatch(name) or "--" in name or name[0] == "-" or name[-1] == "-" or name == "data":
        yield (
            f"{name!r:.120} cannot be a repository's name and a Minari namespace: that takes 2 to 96 letters, digits, "
            "single '-' and '_', and is not 'data'."
        )
    for path in paths:
        *folders, last = path.split("/")
        if not _DATASET.fullmatch(last):
            yield f"{path!r:.120}: a dataset's name ends in '-v' and a number without leading zeros for Minari."
        if "data" in folders or "artifacts" in path.split("/"):
            yield f"{path!r:.120}: 'data' and 'artifacts' are folders of their own in a repository."
