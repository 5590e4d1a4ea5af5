"""Links on this machine: what they lead to is published, if it is a file that we or the Hub's client put there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import UnsafeFile
from pytupli_registry.publishing.workplace import place_file, workplace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["without_links"]


@contextmanager
def without_links(directory: Path, files: Iterable[str], caches: Iterable[Path]) -> Iterator[Path]:
    """Yield a directory that holds the same files and no link: itself, or one that goes away again.

    Args:
        directory: where the files are.
        files: paths in it of those that will be published, as far as they are there.
        caches: places that links may lead to, beside the directory, the local store and our own cache.

    Raises:
        UnsafeFile: a link leads anywhere else, or to no regular file.
        WriteError: a link leads to another disk, and there is no room to copy what is there.
    """
    present = [path for path in files if os.path.lexists(directory / path)]
    if not any(_linked(directory, path) for path in present):
        yield directory
        return
    config = ClientConfig.from_environment()
    allowed = [directory, config.datasets_path, config.cache_path, *caches]
    places = [place.resolve() for place in allowed]
    targets = {path: _target(directory / path, places) for path in present}
    with workplace() as made:
        home = made / directory.name
        for path, target in targets.items():
            place_file(target, home / path)
        yield home


def _linked(directory: Path, path: str) -> bool:
    current = directory
    for part in Path(path).parts:
        current /= part
        if current.is_symlink():
            return True
    return False


def _target(path: Path, places: Iterable[Path]) -> Path:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UnsafeFile(path, "it is a link that leads nowhere") from error
    if not target.is_file():
        raise UnsafeFile(path, "it is a link to something that is no file")
    if not any(target.is_relative_to(place) for place in places):
        raise UnsafeFile(
            path,
            f"it is a link to {target}, which lies outside the dataset, the local store and the caches",
            hint="Replace the link by the file itself if it is meant to be published.",
        )
    return target
