"""``pytupli delete``."""

from __future__ import annotations

import click

from pytupli_registry.cli.options import reference_argument
from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("delete")
@reference_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(output: Output, reference: str, yes: bool) -> None:
    """Delete a dataset from the local store."""
    from pytupli_registry import api  # noqa: PLC0415

    if not yes and not click.confirm(f"Delete {reference} from the local store?", err=True):
        output.line("Nothing was deleted.")
        return
    api.delete(reference)
    if not output.document({"deleted": reference}):
        output.line(f"Deleted {reference}.")
