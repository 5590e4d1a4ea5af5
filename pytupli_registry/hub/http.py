"""One request and its answer, whichever HTTP library the installed ``huggingface_hub`` brings."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import get_session  # type: ignore[attr-defined]  # public in all releases

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "FAILURES",
    "Answer",
    "OfflineModeIsEnabled",
    "is_refused_connection",
    "origin_of",
    "redirect_target",
    "stream",
]

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 30
CHUNK_BYTES = 1 << 18
_DEFAULT_PORTS = {"http": 80, "https": 443}
# The client has changed its HTTP library twice: the error that all failures of the library are derived from is
# found among what its own error is derived from.
FAILURES: tuple[type[Exception], ...] = (
    OSError,
    *(
        kind
        for kind in HfHubHTTPError.__mro__
        if kind.__module__.split(".")[0] in ("requests", "httpx", "httpx2")
    ),
)


class Answer:
    """What a server has answered; its body is read piece by piece.

    Attributes:
        status: of HTTP.
        headers: by name, in any case.
    """

    def __init__(self, response: Any) -> None:  # noqa: ANN401 - requests or httpx
        self._response = response
        self.status = int(response.status_code)
        self.headers: Mapping[str, str] = response.headers

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the body as it comes; raises one of :data:`FAILURES` when the connection is lost."""
        if hasattr(self._response, "iter_content"):
            yield from self._response.iter_content(CHUNK_BYTES)
        else:
            yield from self._response.iter_bytes()

    def read(self, limit: int) -> bytes:
        """Return the body.

        Raises:
            OSError: it is longer than ``limit`` bytes.
        """
        found = bytearray()
        for piece in self.pieces():
            found += piece
            if len(found) > limit:
                raise OSError(f"the answer is longer than {limit} bytes")
        return bytes(found)


@contextmanager
def stream(
    method: str, url: str, headers: Mapping[str, str], form: Mapping[str, Any] | None = None
) -> Iterator[Answer]:
    """Send a request without following redirects, and give its answer as it comes.

    Raises:
        Exception: one of :data:`FAILURES`; :class:`OfflineModeIsEnabled` is among them.
    """
    session: Any = get_session()
    headers = {"Accept-Encoding": "identity", **headers}
    if callable(getattr(session, "stream", None)):  # of httpx; the one of requests is a flag
        timeouts = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S, READ_TIMEOUT_S, READ_TIMEOUT_S)
        with session.stream(
            method, url, headers=headers, data=form, timeout=timeouts, follow_redirects=False
        ) as response:
            yield Answer(response)
        return
    response = session.request(
        method,
        url,
        headers=headers,
        data=form,
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        stream=True,
        allow_redirects=False,
    )
    try:
        yield Answer(response)
    finally:
        response.close()


def is_refused_connection(error: Exception) -> bool:
    """Whether nobody listens at the address, or nobody knows it."""
    return isinstance(error, ConnectionRefusedError) or type(error).__name__ == "ConnectError"


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL; what is sent to one origin is not meant for another."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def redirect_target(url: str, answer: Answer) -> str | None:
    """Return where an answer sends the client; None where it does not, or from https to what anyone can read."""
    if answer.status not in {301, 302, 303, 307, 308}:
        return None
    target = urljoin(url, answer.headers.get("location", ""))
    scheme, host, _ = origin_of(target)
    if scheme not in _DEFAULT_PORTS or not host or (origin_of(url)[0], scheme) == ("https", "http"):
        return None
    return target
