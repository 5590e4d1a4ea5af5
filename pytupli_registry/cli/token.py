"""``pytupli token``: access tokens of the Hub."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, cast

import click

from pytupli_registry.cli.expiry import parse_expiry
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.passwords import ask_password, password_stdin_option

if TYPE_CHECKING:
    from datetime import datetime

    from pytupli_registry.hub import Administration, Token

__all__ = ["command"]

KINDS = {"personal": "token", "login": "device login", "session": "browser"}


@click.group("token")
def command() -> None:
    """Look after your access tokens on the Hub that HF_ENDPOINT names."""


@command.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(("read", "write")), default="read", show_default=True)
@click.option(
    "--expires", callback=parse_expiry, metavar="WHEN", help="90d, 12h, 2027-01-31, or never (the default)."
)
@click.option("--user", default=None, help="Log in as this user, with the password, instead of with a token.")
@password_stdin_option
@json_option
@click.pass_obj
def create(
    output: Output, name: str, role: str, expires: datetime | None, user: str | None, password_stdin: bool
) -> None:
    """Make a token, and print it this once."""
    password = None
    if user is not None:
        password = ask_password(f"Password of {user}", from_stdin=password_stdin)
    text = _hub(token=None if user is None else False).create_token(
        name,
        role=cast("Literal['read', 'write']", role),
        expires_at=expires,
        user=user,
        password=password,
    )
    if output.document({"name": name, "role": role, "expires_at": expires, "token": text}):
        return
    output.note(f"The token {name} ({role}), shown only now:")
    output.line(text)


@command.command("list")
@click.option("--user", default=None, help="Of this user; for administrators of the Hub.")
@json_option
@click.pass_obj
def list_tokens(output: Output, user: str | None) -> None:
    """List tokens, device logins and browser sessions, newest first."""
    found = _hub().tokens(user)
    if output.document([dataclasses.asdict(token) for token in found]):
        return
    output.table(("name", "kind", "role", "made", "expires", "last used"), [_row(token) for token in found])


@command.command("revoke")
@click.argument("name")
@click.option("--user", default=None, help="Of this user; for administrators of the Hub.")
@json_option
@click.pass_obj
def revoke(output: Output, name: str, user: str | None) -> None:
    """Make a token void at once."""
    _hub().revoke_token(name, user)
    if not output.document({"revoked": name}):
        output.line(f"Revoked {name}.")


def _row(token: Token) -> tuple[object, ...]:
    days = [
        None if time is None else time.date().isoformat()
        for time in (token.created_at, token.expires_at, token.last_used_at)
    ]
    return (token.name, KINDS.get(token.kind, token.kind), token.role, *days)


def _hub(*, token: bool | None = None) -> Administration:
    from pytupli_registry.hub import Administration  # noqa: PLC0415 - lazy, for a fast `--help`

    return Administration(token=token)
