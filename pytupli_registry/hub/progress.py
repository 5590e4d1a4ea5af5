"""Progress bars like those of the stock client, for what does not go through it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from huggingface_hub.utils.tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, unless the client's bars are switched off; yields what to call with the bytes that came.

    Args:
        what: comes.
        size: its bytes.
    """
    with tqdm(desc=what, total=size, unit="B", unit_scale=True) as bar:  # type: ignore[no-untyped-call]
        yield bar.update
