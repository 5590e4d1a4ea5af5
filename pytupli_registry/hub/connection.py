"""One JSON request after another to the Hub that is meant, with the token for it (:mod:`.credentials`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from huggingface_hub.utils import HfHubHTTPError, get_session  # type: ignore[attr-defined]  # public in all releases

from pytupli_registry.errors import HubError, HubUnreachable
from pytupli_registry.hub.credentials import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FAILURES", "Connection"]

TIMEOUT_S = 30
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


class Connection:
    """A Hub, and who asks.

    Args:
        endpoint: URL of the Hub; None takes the one that is meant, see :mod:`pytupli_registry.hub.credentials`.
        token: None takes the one that was given for this endpoint; False sends none.
        any_hub: huggingface.co will do as well, not only a Hub of ours.
    """

    def __init__(
        self, endpoint: str | None = None, token: str | bool | None = None, *, any_hub: bool = False
    ) -> None:
        self.access = resolve(endpoint, token)
        self.endpoint = self.access.endpoint
        self._any_hub = any_hub

    def request(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Send a request and return what was answered, None for an empty answer.

        Raises:
            HubError: the Hub refuses; the message is its own.
            HubUnreachable: there is no answer, or none of a Hub.
        """
        return self._read(self._send(method, self.endpoint + path, json=body))

    def post_form(self, path: str, form: Mapping[str, str]) -> tuple[int, Any]:
        """Send a form and return the status and what was answered, also where that is a refusal.

        Raises:
            HubUnreachable: there is no answer, or no JSON.
        """
        answer = self._send("POST", self.endpoint + path, data=form)
        try:
            return int(answer.status_code), answer.json()
        except ValueError as error:
            raise self._stranger() from error

    def pages(self, path: str) -> Iterator[Any]:
        """Iterate over all entries of a listing.

        Raises:
            HubError, HubUnreachable: as :meth:`request`.
        """
        url: str | None = self.endpoint + path
        while url:
            answer = self._send("GET", url)
            yield from self._read(answer)
            url = self._own(answer.links.get("next", {}).get("url"))

    def _own(self, url: str | None) -> str | None:
        """Return where a listing goes on; never on another host, and never unencrypted where we came encrypted."""
        if not url:
            return None
        ours, found = urlsplit(self.endpoint), urlsplit(url)
        if found.netloc != ours.netloc:
            raise HubUnreachable(f"{self.endpoint} continues its listing on another host, {url!r:.200}.")
        return found._replace(scheme=ours.scheme).geturl()

    def _send(self, method: str, url: str, **content: Any) -> Any:  # noqa: ANN401 - requests or httpx
        if self.access.is_public_hub and not self._any_hub:
            raise HubUnreachable(
                "huggingface.co is administered on its own pages.",
                hint="Say which Hub is meant: `pytupli login URL`, or export HF_ENDPOINT=…",
            )
        headers = {"Authorization": f"Bearer {self.access.token}"} if self.access.token else {}
        try:
            return get_session().request(method, url, headers=headers, timeout=TIMEOUT_S, **content)
        except FAILURES as error:
            raise HubUnreachable(
                f"The Hub at {self.endpoint} does not answer: {error}.",
                hint="Is it running, and is it the one you mean? `pytupli whoami` says which one is asked.",
            ) from error

    def _read(self, answer: Any) -> Any:  # noqa: ANN401
        status = int(answer.status_code)
        if status >= 300:
            raise HubError(self._problem(answer), status=status, hint=_hint(status))
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise self._stranger() from error

    def _problem(self, answer: Any) -> str:  # noqa: ANN401
        try:
            said = answer.json()
        except ValueError as error:
            if not self._any_hub:
                raise self._stranger() from error
            said = None
        message = said.get("error") if isinstance(said, dict) else None
        return str(message) if message else f"The Hub at {self.endpoint} has refused: {answer.status_code}."

    def _stranger(self) -> HubUnreachable:
        return HubUnreachable(
            f"What answers at {self.endpoint} is no Hub{'' if self._any_hub else ' of PyTupli Registry'}.",
            hint="Does HF_ENDPOINT name the Hub, or the last `pytupli login`?",
        )


def _hint(status: int) -> str | None:
    return "Log in: pytupli login" if status == 401 else None
