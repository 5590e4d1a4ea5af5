"""What webhooks watch and where they may send to.

A webhook makes this server call an address that a user chose. Unless the operator names the host, only public
addresses are called, and exactly the address that was checked, so that a name cannot lead elsewhere afterwards.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.wire.texts import Line

__all__ = ["ANY_PUBLIC", "Target", "Watched", "check_target", "is_public"]

LONGEST_URL = 2048
ANY_PUBLIC = "*"
PORTS = {"http": 80, "https": 443}
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Watched(BaseModel):
    """A repository, or an account with all its repositories. It need not exist."""

    type: Literal["dataset", "model", "space", "user", "org"]
    name: Annotated[Line, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook sends to, taken apart.

    Attributes:
        secure: whether TLS is spoken.
        host: name or address.
        port: of TCP.
        path: with the query.
        authority: what the header ``Host`` says.
        listed: the operator allows the host, whatever its address.
    """

    secure: bool
    host: str
    port: int
    path: str
    authority: str
    listed: bool


def check_target(url: str, hosts: tuple[str, ...]) -> Target:
    """Take a URL apart.

    Args:
        url: where to send to.
        hosts: the hosts that may be called; empty means every public one, ``*`` adds them to those listed.

    Raises:
        BadRequest: it is no ``http`` or ``https`` URL, has a password in it, or names a host that may not be called.
    """
    target = _parsed(url, hosts)
    address = _address(target.host)
    allowed = target.listed or not hosts or ANY_PUBLIC in hosts
    if not allowed or (address is not None and not target.listed and not is_public(address)):
        raise BadRequest(
            f"Webhooks of this Hub may not call {target.host!r}. Its operator can allow the host."
        )
    return target


def _parsed(url: str, hosts: tuple[str, ...]) -> Target:
    refused = BadRequest("A webhook's URL must begin with http:// or https:// and name a host.")
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise refused
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise refused from error
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None or port == 0:
        raise refused
    host = parts.hostname.rstrip(".")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = f"[{host}]" if ":" in host else host
    return Target(
        parts.scheme == "https",
        host,
        port or PORTS[parts.scheme],
        path,
        authority if port is None else f"{authority}:{port}",
        host.lower() in {known.lower() for known in hosts},
    )


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public internet, seen through every way of writing IPv4 in IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved
