"""Making benchmarks of the catalog available on this machine, one after the other or several at a time."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING

from pytupli_registry.catalog.building import Built, build
from pytupli_registry.catalog.catalog import entry
from pytupli_registry.catalog.progress import silent
from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytupli_registry.catalog.progress import Progress

__all__ = ["build_all", "install"]


def install(name: str, *, datasets: bool = True, replace: bool = False, progress: Progress = silent) -> Built:
    """Make a benchmark of the catalog in the local store; what is there already stays.

    Args:
        name: as :func:`~pytupli_registry.catalog.catalog.entry` takes it.
        datasets: record its datasets, too.
        replace: make everything anew.
        progress: shows how far it is.

    Raises:
        PytupliError: see :func:`~pytupli_registry.catalog.building.build`.
    """
    root = ClientConfig.from_environment().datasets_path
    return build(entry(name), root, datasets=datasets, replace=replace, progress=progress)


def build_all(
    names: Sequence[str],
    root: Path | None = None,
    *,
    datasets: bool = True,
    replace: bool = False,
    jobs: int = 1,
    progress: Progress = silent,
) -> Iterator[tuple[str, Built | PytupliError]]:
    """Make several benchmarks, and yield each when it is done, or why it is not; one that fails stops no other.

    Args:
        names: as :func:`~pytupli_registry.catalog.catalog.entry` takes them; a name that is not there is told at once.
        root: where to; None is the local store.
        datasets: record their datasets, too.
        replace: make everything anew.
        jobs: how many processes; more than one show no progress.
        progress: shows how far each is.

    Raises:
        BenchmarkNotFound: there is no such benchmark in the catalog.
    """
    for name in names:
        entry(name)
    target = ClientConfig.from_environment().datasets_path if root is None else root
    if jobs == 1:
        for name in names:
            yield name, _attempt(name, target, datasets, replace, progress)
        return
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawning) as pool:
        waiting = {pool.submit(_attempt, name, target, datasets, replace): name for name in names}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def _attempt(
    name: str, root: Path, datasets: bool, replace: bool, progress: Progress = silent
) -> Built | PytupliError:
    try:
        return build(entry(name), root, datasets=datasets, replace=replace, progress=progress)
    except PytupliError as error:
        return error
