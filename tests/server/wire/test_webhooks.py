"""Which URLs webhooks may call."""

from __future__ import annotations

import ipaddress

import pytest

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.wire.webhooks import Target, check_target, is_public


def test_a_url_is_taken_apart() -> None:
    assert check_target("https://Example.com./a?b=c#d", ()) == Target(
        True, "example.com", 443, "/a?b=c", "example.com", False
    )
    assert check_target("http://[2606:4700::1]:8080", ()) == Target(
        False, "2606:4700::1", 8080, "/", "[2606:4700::1]:8080", False
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "https://",
        "//example.com",
        "nonsense",
        "https://user:password@example.com/",
        "http://@example.com/",
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:4136:e378:8000:63bf:f5ff:fffe]/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "http://exämple.com/",
        "http://example.com/" + "x" * 2048,
    ],
)
def test_urls_that_may_not_be_called(url: str) -> None:
    with pytest.raises(BadRequest):
        check_target(url, ())


def test_the_operator_names_hosts() -> None:
    assert check_target("http://hooks.intern:8080/x", ("Hooks.Intern",)).listed
    assert check_target("http://10.0.0.1/", ("10.0.0.1", "*")).listed
    assert not check_target("https://example.com/", ("10.0.0.1", "*")).listed
    for hosts in (("hooks.intern",), ("10.0.0.2", "*")):
        with pytest.raises(BadRequest, match="may not call"):
            check_target("http://10.0.0.1/", hosts)
    with pytest.raises(BadRequest, match="may not call"):
        check_target("https://example.com/", ("hooks.intern",))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
