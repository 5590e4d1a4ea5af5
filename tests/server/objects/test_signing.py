"""Signed URLs of S3, against botocore's own signature."""

from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit, urlunsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import AzureStore, S3Store

from pytupli_registry.server.objects.signing import SignedUrls

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
KEY = f"blobs/{'ab' * 32}"


def s3(prefix: str | None = None, **config) -> S3Store:
    config = {"region": "eu-central-1", "access_key_id": "AKIA", "secret_access_key": SECRET, **config}
    return S3Store("acme-data", prefix=prefix, config=config, client_options={"allow_http": True})


STORES = {
    "amazon": s3(),
    "virtual host": s3(virtual_hosted_style_request=True),
    "port": s3(endpoint="http://127.0.0.1:9000"),
    "session": s3(session_token="to/ken+with=signs"),
    "prefix": s3("a b/ü+&/c"),
}


def signature_of_botocore(url: str, token: str | None) -> str:
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query))
    auth = S3SigV4QueryAuth(
        Credentials("AKIA", SECRET, token), "s3", "eu-central-1", int(parameters["X-Amz-Expires"])
    )
    own = {name: value for name, value in parameters.items() if not name.startswith("X-Amz-")}
    request = AWSRequest("GET", urlunsplit(parts._replace(query=urlencode(own, quote_via=quote))))
    request.context["timestamp"] = parameters["X-Amz-Date"]
    auth._modify_request_before_signing(request)
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


@pytest.mark.parametrize("name", STORES)
@settings(max_examples=20, deadline=None)
@given(filename=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_it_is_what_botocore_signs(name, filename):
    token = "to/ken+with=signs" if name == "session" else None
    url = SignedUrls(STORES[name], secret=SECRET).sign(
        KEY, expires_s=60, filename=filename, content_type="text/csv"
    )
    parameters = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert parameters["response-content-disposition"] == [
        f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
    ]
    assert parameters["response-content-type"] == ["text/csv"]
    assert parameters["X-Amz-Signature"] == [signature_of_botocore(url, token)]


@pytest.mark.parametrize("secret", [None, "another one"])
def test_without_the_right_secret_the_store_is_not_told(secret):
    url = SignedUrls(STORES["amazon"], secret=secret).sign(
        KEY, expires_s=60, filename="f", content_type="text/csv"
    )
    parameters = parse_qs(urlsplit(url).query)
    assert not any(name.startswith("response-") for name in parameters)
    assert parameters["X-Amz-Signature"] == [signature_of_botocore(url, None)]


def test_another_cloud_signs_in_its_way():
    azure = AzureStore("acme", config={"account_name": "acme", "account_key": "c2VjcmV0"})
    url = SignedUrls(azure, secret=SECRET).sign(KEY, expires_s=60, filename="f", content_type="text/csv")
    assert urlsplit(url).hostname == "acme.blob.core.windows.net"
    assert parse_qs(urlsplit(url).query)["sp"] == ["r"]
