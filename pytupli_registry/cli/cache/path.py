"""``pytupli cache path``."""

from __future__ import annotations

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.config import ClientConfig

__all__ = ["command"]


@click.command("path")
@json_option
@click.pass_obj
def command(output: Output) -> None:
    """Say where the cache is."""
    path = str(ClientConfig.from_environment().cache_path)
    if not output.document({"path": path}):
        output.line(path)
