"""Answers of a Hub: how they are got, and what is believed of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import HubError
from pytupli_registry.hub.http import Answer, origin_of, redirect_target, stream
from pytupli_registry.hub.remembered import RemoteFile

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.hub.snapshots import Hub

__all__ = ["COMMIT", "Following", "file_of", "holds", "next_page"]

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MAX_REDIRECTS = 6
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Following:
    """A request whose redirects are followed; the token goes along to the same origin only."""

    def __init__(self, hub: Hub, method: str, url: str, form: Any) -> None:  # noqa: ANN401
        self._hub, self._method, self._url, self._form = hub, method, url, form
        self._opened: Any = None

    def __enter__(self) -> Answer:
        for _ in range(_MAX_REDIRECTS):
            known = origin_of(self._url) == origin_of(self._hub.endpoint)
            headers = self._hub.headers if known else {}
            self._opened = stream(self._method, self._url, headers, self._form)
            answer: Answer = self._opened.__enter__()
            target = redirect_target(self._url, answer)
            if target is None:
                return answer
            self._opened.__exit__(None, None, None)
            self._url = target
        raise HubError(f"{self._hub.endpoint} sends the client from place to place.")

    def __exit__(self, *raised: object) -> None:
        self._opened.__exit__(*raised)


def file_of(said: Any) -> RemoteFile | None:  # noqa: ANN401 - JSON of a server
    """Return the file that an entry of a listing describes; None for a folder.

    Raises:
        HubError: it is no such entry.
    """
    try:
        if said["type"] != "file":
            return None
        lfs = said.get("lfs")
        file = RemoteFile(
            str(said["path"]),
            int((lfs or said)["size"]),
            str(said["oid"]),
            None if lfs is None else str(lfs["oid"]).removeprefix("sha256:"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HubError("The Hub describes a file in a way that is not understood.") from error
    named = COMMIT.fullmatch(file.blob_id) and (file.sha256 is None or _SHA256.fullmatch(file.sha256))
    if not named or not 0 <= file.size < 1 << 50:
        raise HubError(f"The Hub describes {file.path!r:.160} with an impossible hash or size.")
    return file


def holds(place: Path, file: RemoteFile) -> bool:
    """Whether a file on this machine has the size and hash of a remote one."""
    hasher, size = file.hasher(), 0
    with place.open("rb") as opened:
        while piece := opened.read(1 << 20):
            hasher.update(piece)
            size += len(piece)
    return size == file.size and hasher.hexdigest() == file.key


def next_page(answer: Answer) -> str | None:
    """Return where a listing goes on, None at its end."""
    found = re.search(r'<([^>]+)>\s*;\s*rel="?next"?', answer.headers.get("link", ""))
    return found[1] if found else None
