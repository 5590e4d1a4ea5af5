"""``pytupli publish``."""

from __future__ import annotations

from typing import Literal

import click

from pytupli_registry.cli.options import complete_reference
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.publishing_options import shows_bars, tell, writing_options

__all__ = ["command"]


@click.command("publish")
@click.argument("what", shell_complete=complete_reference)
@click.option("--to", required=True, metavar="ORG[/REPO]", help="The organization or user on the Hub.")
@click.option(
    "--private/--public", default=None, help="Who may see a new repository; the Hub decides otherwise."
)
@click.option("--revision", metavar="BRANCH", help="A branch other than main.")
@click.option("--card", type=click.Choice(["local", "hub"]), help="Whose README wins if both were changed.")
@click.option("--thorough", is_flag=True, help="Read and compare every value first.")
@writing_options
@json_option
@click.pass_obj
def command(
    output: Output,
    what: str,
    to: str,
    private: bool | None,
    revision: str | None,
    card: Literal["local", "hub"] | None,
    thorough: bool,
    message: str | None,
    dry_run: bool,
) -> None:
    """Publish a benchmark, or a dataset, to a Hub: checked as a whole, sent as one commit.

    WHAT is the local name or directory of a benchmark (hvac) or of a dataset (hvac/summer-v0).
    """
    from pytupli_registry.publishing.publish import publish  # noqa: PLC0415 - lazy, for a fast `--help`

    made = publish(
        what,
        to,
        private=private,
        revision=revision,
        message=message,
        card=card,
        thorough=thorough,
        dry_run=dry_run,
        bars=shows_bars(output),
    )
    tell(output, made)
