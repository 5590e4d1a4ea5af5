"""``pytupli-server migrate DIR``: bring the database to this version of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.server.options import directory_argument

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("migrate")
@directory_argument
@json_option
@click.pass_obj
def command(output: Output, directory: Path) -> None:
    """Bring the database to this version of the server.

    A copy of an SQLite file is made first. Stop servers of the older version before.
    """
    from pytupli_registry.server.services.maintenance.migration import migrate  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.server.settings import Settings  # noqa: PLC0415 - lazy, for a fast `--help`

    report = migrate(Settings.load(directory))
    if output.document(report):
        return
    for migration in report.done:
        output.line(f"Done: {migration}")
    output.line(f"The database is at {report.newest}.")
    if report.backup:
        output.line(f"The database as it was: {report.backup}")
