"""URLs that let whoever has them download one object for a while."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import obstore

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

__all__ = ["SignedUrls"]

_LONGEST = timedelta(days=7)  # S3's limit
_ALGORITHM = "AWS4-HMAC-SHA256"


class SignedUrls:
    """Signs with the store's credentials, which never leave this process.

    Args:
        backend: the bucket, at the address that readers can reach.
        secret: S3's secret access key, where it is known; without it the store cannot be told a name for the file.
    """

    def __init__(self, backend: S3Store | GCSStore | AzureStore, *, secret: str | None = None) -> None:
        self._backend = backend
        self._secret = secret

    def sign(self, key: str, *, expires_s: int, filename: str, content_type: str) -> str:
        """Return the URL.

        Raises:
            BaseError: the credentials cannot be had, or cannot sign.
        """
        url = obstore.sign(self._backend, "GET", key, min(timedelta(seconds=expires_s), _LONGEST))
        if self._secret is None:
            return url
        return _asking_for(
            url,
            {
                "response-content-disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
                "response-content-type": content_type,
            },
            self._secret,
        )


def _asking_for(url: str, wishes: dict[str, str], secret: str) -> str:
    """Add parameters to a signed URL of S3, and sign again: obstore signs none of its callers'.

    Where our signature of the same URL is not the one that it has, it was made in a way unknown here, and stays.
    """
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query))
    given = parameters.pop("X-Amz-Signature", "")
    if not hmac.compare_digest(given, _signature(parts.netloc, parts.path, parameters, secret)):
        return url
    parameters.update(wishes)
    parameters["X-Amz-Signature"] = _signature(parts.netloc, parts.path, parameters, secret)
    return urlunsplit(parts._replace(query=_canonical(parameters)))


def _signature(host: str, path: str, parameters: dict[str, str], secret: str) -> str:
    """Sign a GET as AWS does.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    scope = parameters.get("X-Amz-Credential", "").partition("/")[2]  # date/region/s3/aws4_request
    request = f"GET\n{path}\n{_canonical(parameters)}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    said = f"{_ALGORITHM}\n{parameters.get('X-Amz-Date', '')}\n{scope}\n{digest}"
    return hmac.digest(key, said.encode(), "sha256").hex()


def _canonical(parameters: dict[str, str]) -> str:
    return urlencode(sorted(parameters.items()), quote_via=quote, safe="-_.~")
