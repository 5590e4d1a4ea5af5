"""``pytupli-server init DIR``: make a Hub."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.server.options import directory_argument

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("init")
@directory_argument
@click.option("--admin", metavar="NAME", help="Name of the first administrator; asked for unless given.")
@click.option("--password-stdin", is_flag=True, help="Read the administrator's password from standard input.")
@click.option("--token", is_flag=True, help="Make a write token for the administrator, and print it once.")
@click.option("--database-url", metavar="URL", help="postgresql://…; unless given, an SQLite file in DIR.")
@click.option(
    "--objects-url", metavar="URL", help="s3://bucket/prefix, gs://…, az://…; unless given, DIR/objects."
)
@click.option("--public-url", metavar="URL", help="What clients call this Hub, if it stands behind a proxy.")
@json_option
@click.pass_obj
def command(
    output: Output,
    directory: Path,
    admin: str | None,
    password_stdin: bool,
    token: bool,
    database_url: str | None,
    objects_url: str | None,
    public_url: str | None,
) -> None:
    """Make a Hub and its first administrator.

    DIR is missing or empty.
    """
    from pytupli_registry.server.services.maintenance.creation import FirstAdmin, create_hub  # noqa: PLC0415 - lazy, for a fast `--help`

    name = admin or click.prompt("Name of the first administrator", err=True)
    first = FirstAdmin(name, _password(from_stdin=password_stdin), wants_token=token)
    chosen = {"database_url": database_url, "objects_url": objects_url, "public_url": public_url}
    text = create_hub(directory, first, {key: value for key, value in chosen.items() if value})
    if output.document({"directory": directory, "admin": name, "token": text}):
        return
    output.line(f"Made a Hub in {directory} with the administrator {name}.")
    if text:
        output.line(f"Write token (shown only now): {text}")
    output.line(f"Next: pytupli-server start {directory}")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
