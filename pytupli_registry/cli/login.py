"""``pytupli login``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import HubError

if TYPE_CHECKING:
    from pytupli_registry.hub.identity import Identity

__all__ = ["command"]


@click.command("login")
@click.argument("endpoint", metavar="[URL]", required=False)
@click.option("--token", "paste", is_flag=True, help="Ask for an access token instead of opening a page.")
@click.option("--token-stdin", is_flag=True, help="Read an access token from standard input.")
@json_option
@click.pass_obj
def command(output: Output, endpoint: str | None, paste: bool, token_stdin: bool) -> None:
    """Log in to a Hub, and use it from now on where HF_ENDPOINT names no other.

    URL is the Hub's; without it the one that is in use. The token is kept in a file that only you can read, and goes
    to this Hub only.
    """
    from pytupli_registry.hub import credentials  # noqa: PLC0415 - lazy, for a fast `--help`

    url = credentials.resolve(endpoint, token=False).endpoint
    if credentials.is_unencrypted(url):
        output.note(f"{url} is not encrypted: everybody on the way can read your token.")
    identity = _by_token(url, token_stdin) if paste or token_stdin else _by_browser(output, url)
    if not output.document(identity):
        role = f" ({identity.token_role})" if identity.token_role else ""
        output.line(f"Logged in to {url} as {identity.name}{role}.")
    named = credentials.named_endpoint()
    if named not in (None, url):
        output.note(f"HF_ENDPOINT still names {named}, and wins.")
    elif credentials.resolve(url).source != "pytupli login":
        output.note("HF_TOKEN is set, and wins.")


def _by_browser(output: Output, url: str) -> Identity:
    """Log in with a page of the Hub; with a token where it has no such page."""
    from pytupli_registry.hub import device_login, identity  # noqa: PLC0415
    from pytupli_registry.hub.credentials import PUBLIC_ENDPOINT  # noqa: PLC0415

    if url == PUBLIC_ENDPOINT:  # its device logins are for programs that are registered there
        output.note("huggingface.co: `hf auth login` opens a page there; here, paste a token.")
        return _by_token(url, from_stdin=False)
    try:
        login = device_login.begin(url)
    except HubError as error:
        if not sys.stdin.isatty():
            raise
        output.note(error.message)
        return _by_token(url, from_stdin=False)
    # To stderr: with --json the document stands alone on stdout, and people still see where to go.
    click.echo(f"Open {login.page}\nand enter the code {login.code}. Waiting …", err=True)
    grant = device_login.finish(login)
    return identity.log_in(
        url,
        grant.token,
        refresh_token=grant.refresh_token,
        expires_at=grant.expires_at,
        device_code=login.code,
    )


def _by_token(url: str, from_stdin: bool) -> Identity:
    from pytupli_registry.hub import identity  # noqa: PLC0415

    if from_stdin:
        token = sys.stdin.readline()
    else:
        token = str(click.prompt(f"Access token for {url}", hide_input=True, err=True))
    return identity.log_in(url, token)
