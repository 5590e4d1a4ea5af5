"""Statistics of ``episodes.parquet`` files, read in a child process that may die without harm."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, NoReturn

__all__ = ["EpisodeReader"]

AT_ONCE = 2
FILE_S = 15.0
LONGEST_ANSWER = 1 << 16
MODULE = "pytupli_registry.server.services.datasets.child"
# What an interpreter needs to start; never the secrets that configure the server.
INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")


class EpisodeReader:
    """Starts the children, a few at the same time.

    Args:
        at_once: how many may run.
        file_s: seconds that one file may take.
    """

    def __init__(self, at_once: int = AT_ONCE, file_s: float = FILE_S) -> None:
        self._slots = BoundedSemaphore(at_once)
        self._file_s = file_s

    def read(self, paths: Sequence[Path], *, budget_s: float) -> list[dict[str, Any]]:
        """Return for each file what it says, or ``{"problem": …}``; fewer answers if the time was too short.

        Args:
            paths: the files, none of them trusted.
            budget_s: seconds for all of them together, waiting for a free slot included.
        """
        deadline = time.monotonic() + budget_s
        if not paths or not self._slots.acquire(timeout=budget_s):
            return []
        try:
            return list(self._answers(list(paths), deadline))
        finally:
            self._slots.release()

    def _answers(self, paths: list[Path], deadline: float) -> Iterator[dict[str, Any]]:
        while paths:
            with _child() as child:
                while paths and (left := deadline - time.monotonic()) > 0:
                    answer = _ask(child, paths.pop(0), min(left, self._file_s))
                    yield answer or {"problem": "it is damaged, or too large to be read"}
                    if answer is None:
                        break  # this child is of no use any more: the next file gets another one
                else:
                    return


@contextmanager
def _child() -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # Arrow's default allocator reserves more address space than the child may have.
    environment |= {
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                pipe.close() if pipe else None
        process.wait()


def _ask(child: subprocess.Popen[bytes], path: Path, timeout_s: float) -> dict[str, Any] | None:
    assert child.stdin is not None  # noqa: S101 - both are pipes
    assert child.stdout is not None  # noqa: S101
    try:
        child.stdin.write(os.fsencode(path) + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        return None
    line = _line(child.stdout.fileno(), time.monotonic() + timeout_s)
    try:
        answer = json.loads(line, parse_constant=_refuse)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _line(pipe: int, deadline: float) -> bytes:
    """Return what comes until the line ends; less if the time, or the child, is over."""
    text = b""
    while not text.endswith(b"\n") and len(text) < LONGEST_ANSWER:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        block = os.read(pipe, LONGEST_ANSWER) if ready else b""
        if not block:
            return b""
        text += block
    return text


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
