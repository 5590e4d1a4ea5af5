"""``pytupli whoami``."""

from __future__ import annotations

import os

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("whoami")
@click.argument("endpoint", metavar="[URL]", required=False)
@json_option
@click.pass_obj
def command(output: Output, endpoint: str | None) -> None:
    """Say which Hub is in use, and who you are there."""
    from pytupli_registry.hub import identity  # noqa: PLC0415 - lazy, for a fast `--help`

    who = identity.whoami(endpoint)
    if output.document(who):
        return
    roles = ", ".join(f"{name} ({role})" if role else name for name, role in who.organizations.items())
    output.facts(
        {
            "hub": who.endpoint,
            "user": who.name or "nobody: `pytupli login` logs in",
            "organizations": roles or None,
            "token": f"{who.token_name or ''} ({who.token_role})" if who.token_role else None,
            "from": who.source,
        }
    )
    if os.environ.get("HF_TOKEN") and who.source != "HF_TOKEN":
        output.note("HF_TOKEN is set, but belongs to another Hub: set HF_ENDPOINT to say to which.")
