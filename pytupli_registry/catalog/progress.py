"""How long work tells how far it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Shows one piece of work while it lasts."""

    def __call__(
        self, description: str, total: int | None = None, /
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a piece of work; what the context manager yields takes by how much it has advanced."""


@contextmanager
def silent(description: str, total: int | None = None, /) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    del description, total
    yield lambda _: None
