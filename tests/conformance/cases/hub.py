"""The hub under test as its driver describes it, and the release of the client that runs the cases."""

import contextlib
import http.client
import json
import os
import re
import uuid
from types import SimpleNamespace
from urllib.parse import urlsplit

import huggingface_hub
import pytest
from huggingface_hub import HfApi
from huggingface_hub.utils import HfHubHTTPError
from packaging.version import Version

ENDPOINT = os.environ["HF_ENDPOINT"]
DESCRIPTION = json.loads(os.environ["CONFORMANCE_HUB"])
RELEASE = Version(huggingface_hub.__version__)
XET = DESCRIPTION["xet"]
# What `whoami` raises: clients before 1.0 let an error of requests through.
HTTP_ERROR = HfHubHTTPError if Version("1") <= RELEASE else HfHubHTTPError.__mro__[1]

# name and token of: owner (admin of the organization), writer (write), contributor, reader (read), stranger (no
# member), admin (of the site)
ACCOUNTS = {role: SimpleNamespace(**account) for role, account in DESCRIPTION["accounts"].items()}
OWNER = ACCOUNTS["owner"]
STRANGER = ACCOUNTS["stranger"]
# further tokens of the owner: read_only, expired, revoked
TOKENS = DESCRIPTION["tokens"]
PASSWORD = DESCRIPTION["password"]
ORGANIZATION = DESCRIPTION["organization"]
MINARI_ORGANIZATION = DESCRIPTION["minari_organization"]
HIDDEN_ORGANIZATION = DESCRIPTION["hidden_organization"]  # nothing in it is public


def client(releases, reason):
    """For these releases only: others lack what is tested. Not collected there, and listed with the reason."""
    return pytest.mark.client(releases, reason)


def api_of(role):
    """A client with the token of an account, or with none: `anonymous`."""
    return HfApi(endpoint=ENDPOINT, token=ACCOUNTS[role].token if role in ACCOUNTS else False)


def new_name(prefix="repo"):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@contextlib.contextmanager
def refused(error, status, text=""):
    """The body is refused with this class of error, this status and a message with this text."""
    with pytest.raises(error) as caught:
        yield caught
    assert caught.value.response.status_code == status, str(caught.value)
    assert re.search(re.escape(text), str(caught.value)), str(caught.value)


def request(method, path, token=None, body=None, headers=None):
    """One plain HTTP request below the endpoint; redirects are not followed.

    Returns:
        status, headers (names in lower case) and body.
    """
    parts = urlsplit(path if "://" in path else ENDPOINT + path)
    sent = {"Accept-Encoding": "identity", **(headers or {})}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=sent)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return SimpleNamespace(status=answer.status, headers=found, body=answer.read())
    finally:
        connection.close()
