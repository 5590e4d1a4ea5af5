"""What huggingface.co allows: requests in a window of time, and what fits into one commit."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Limits", "Quota", "Refusal", "problem_of_commit"]


@dataclass(frozen=True)
class Limits:
    """The Hub's documented limits, as its clients meet them.

    Sources: https://huggingface.co/docs/hub/rate-limits, https://huggingface.co/docs/hub/storage-limits and the
    documentation of ``HfApi.create_commit``.

    Attributes:
        requests: to the API, in a window; to files it is as many again.
        window_s: its length.
        large_files: in one commit.
        payload: bytes of one commit's request, which carries the small files.
        folder_files: in one folder.
        paths: asked about in one request.
        signed_s: how long a signed URL is good.
    """

    requests: int = 1000
    window_s: float = 300.0
    large_files: int = 25_000
    payload: int = 1_000_000_000
    folder_files: int = 10_000
    paths: int = 1000
    signed_s: float = 3600.0


@dataclass(frozen=True)
class Refusal:
    """A status and what is said with it."""

    status: int
    message: str


class Quota:
    """Requests of one kind in windows of fixed length."""

    def __init__(self, name: str, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.refused = 0
        self._limits = limits
        self._clock = clock
        self._used = 0
        self._ends = 0.0

    def take(self) -> tuple[dict[str, str], Refusal | None]:
        """Count a request; return the fields that tell what is left, and why it is refused if it is."""
        now = self._clock()
        if now >= self._ends:
            self._used, self._ends = 0, now + self._limits.window_s
        self._used += 1
        left = self._limits.requests - self._used
        seconds = max(1, int(self._ends - now + 0.999))
        window = max(1, int(self._limits.window_s))
        fields = {
            "RateLimit": f'"{self.name}";r={max(0, left)};t={seconds}',
            "RateLimit-Policy": f'"fixed window";"{self.name}";q={self._limits.requests};w={window}',
        }
        if left >= 0:
            return fields, None
        self.refused += 1
        quota = f"{self._limits.requests} {self.name} requests per {window} seconds period"
        return fields | {"Retry-After": str(seconds)}, Refusal(
            429, f"We had to rate limit you, you hit the quota of {quota}."
        )


def problem_of_commit(content: bytes, limits: Limits) -> Refusal | None:
    """Return why the Hub would refuse a commit of its size, None if it would not."""
    if len(content) > limits.payload:
        return Refusal(413, "request entity too large")
    lines = [json.loads(line) for line in content.splitlines() if line.strip()]
    large = sum(line["key"] == "lfsFile" for line in lines)
    if large > limits.large_files:
        return Refusal(
            400, f"Too many LFS files in one commit: {large}, at most {limits.large_files} are allowed."
        )
    folders = Counter(
        line["value"]["path"].rpartition("/")[0] for line in lines if line["key"] in ("file", "lfsFile")
    )
    full = [f"/{folder}/" for folder, count in folders.items() if count > limits.folder_files]
    if full:
        return Refusal(
            400,
            "Your push was rejected because it contains too many files per directory. Each directory in your git "
            f"repo can only contain up to {limits.folder_files} files. Offending directories: {' '.join(full)}",
        )
    return None
