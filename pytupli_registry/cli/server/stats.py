"""``pytupli-server stats DIR``: what a Hub holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option, plain
from pytupli_registry.cli.server.options import directory_argument, opened

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("stats")
@directory_argument
@json_option
@click.pass_obj
def command(output: Output, directory: Path) -> None:
    """Count users, repositories, blobs and bytes."""
    from pytupli_registry.server.services.maintenance.statistics import count_hub  # noqa: PLC0415 - lazy, for a fast `--help`

    with opened(directory) as hub:
        statistics = count_hub(hub)
    if output.document(statistics):
        return
    facts = plain(statistics)
    types = facts.pop("repositories")
    output.facts({**{f"{kind}s": number for kind, number in types.items()}, **facts})
