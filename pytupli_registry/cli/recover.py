"""``pytupli recover``."""

from __future__ import annotations

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("recover")
@click.argument("spool", required=False)
@json_option
@click.pass_obj
def command(output: Output, spool: str | None) -> None:
    """List recordings that were cut off, or turn one into its dataset."""
    from pytupli_registry import api  # noqa: PLC0415

    if spool is None:
        _list(output, [str(path) for path in api.unfinished()])
        return
    path = api.recover(spool)
    if not output.document({"recovered": str(path)}):
        output.line(f"Recovered {path}.")


def _list(output: Output, spools: list[str]) -> None:
    if output.document(spools):
        return
    if not spools:
        output.line("No recording was cut off.")
    for spool in spools:
        output.line(spool)
