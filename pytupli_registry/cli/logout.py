"""``pytupli logout``."""

from __future__ import annotations

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("logout")
@click.argument("endpoint", metavar="[URL]", required=False)
@json_option
@click.pass_obj
def command(output: Output, endpoint: str | None) -> None:
    """Forget the login to a Hub; one that was made in a browser ends there, too."""
    from pytupli_registry.hub import credentials, identity  # noqa: PLC0415 - lazy, for a fast `--help`

    url, was_there = identity.log_out(endpoint)
    left = credentials.resolve(url).source
    if not output.document({"endpoint": url, "logged_out": was_there, "still": left}):
        output.line(f"Logged out of {url}." if was_there else f"You were not logged in to {url} here.")
    if left:
        output.note(f"{left} still has a token for it.")
