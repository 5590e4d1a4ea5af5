"""One JSON request after another to the Hub that ``HF_ENDPOINT`` names, with the token of ``hf auth login``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from huggingface_hub import constants, get_token
from huggingface_hub.utils import HfHubHTTPError, get_session  # type: ignore[attr-defined]  # public in all releases

from pytupli_registry.errors import HubError, HubUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Connection"]

TIMEOUT_S = 30
PUBLIC_HUB = "huggingface.co"
# The client has changed its HTTP library twice: the error that all failures of the library are derived from is
# found among what its own error is derived from.
_FAILURES: tuple[type[Exception], ...] = (
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
        endpoint: URL of the Hub; None takes it from ``HF_ENDPOINT``, as ``huggingface_hub`` does.
        token: None takes the one that ``hf auth login`` or ``HF_TOKEN`` gives; False sends none.
    """

    def __init__(self, endpoint: str | None = None, token: str | bool | None = None) -> None:
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self._token = token

    def request(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Send a request and return what was answered, None for an empty answer.

        Raises:
            HubError: the Hub refuses; the message is its own.
            HubUnreachable: there is no answer, or none of a Hub of ours.
        """
        return self._read(self._send(method, self.endpoint + path, body))

    def pages(self, path: str) -> Iterator[Any]:
        """Iterate over all entries of a listing.

        Raises:
            HubError, HubUnreachable: as :meth:`request`.
        """
        url: str | None = self.endpoint + path
        while url:
            answer = self._send("GET", url)
            yield from self._read(answer)
            url = answer.links.get("next", {}).get("url")
            if url and urlsplit(url).netloc != urlsplit(self.endpoint).netloc:
                raise HubUnreachable(f"{self.endpoint} continues its listing on another host, {url!r:.200}.")

    def _send(self, method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - requests or httpx
        if urlsplit(url).hostname == PUBLIC_HUB:
            raise HubUnreachable(
                f"{PUBLIC_HUB} is administered on its own pages.",
                hint="Say which Hub is meant: export HF_ENDPOINT=…",
            )
        try:
            return get_session().request(method, url, json=body, headers=self._headers(), timeout=TIMEOUT_S)
        except _FAILURES as error:
            raise HubUnreachable(
                f"The Hub at {self.endpoint} does not answer: {error}.",
                hint="Is it running, and does HF_ENDPOINT name it?",
            ) from error

    def _headers(self) -> dict[str, str]:
        if self._token is False:
            return {}
        token = self._token if isinstance(self._token, str) else get_token()
        return {"Authorization": f"Bearer {token}"} if token else {}

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
            raise self._stranger() from error
        message = said.get("error") if isinstance(said, dict) else None
        return str(message) if message else f"The Hub at {self.endpoint} has refused: {answer.status_code}."

    def _stranger(self) -> HubUnreachable:
        return HubUnreachable(
            f"What answers at {self.endpoint} is no Hub of PyTupli Registry.",
            hint="Does HF_ENDPOINT name the Hub?",
        )


def _hint(status: int) -> str | None:
    return "Log in: hf auth login" if status == 401 else None
