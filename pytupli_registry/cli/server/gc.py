"""``pytupli-server gc DIR``: remove what nothing refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.server.options import directory_argument, opened

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("gc")
@directory_argument
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.IntRange(0),
    help="Keep what was touched within so many seconds; default is gc_grace_s in hub.toml.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@click.pass_obj
def command(output: Output, directory: Path, grace: int | None, *, dry_run: bool) -> None:
    """Remove what nothing refers to any more.

    The server may run meanwhile.
    """
    from pytupli_registry.server.services.maintenance.gc.collection import collect_garbage  # noqa: PLC0415 - lazy, for a fast `--help`

    with opened(directory) as hub, output.progress("Repositories") as advance:
        report = collect_garbage(hub, grace_s=grace, dry_run=dry_run, progress=advance)
    if output.document(report):
        return
    output.line("Would be removed:" if dry_run else "Removed:")
    output.facts({**report.removed, "bytes": report.freed_bytes})
    if report.busy_repositories:
        output.line(
            f"{report.busy_repositories} repositories were in use all the time; the next gc sees to them."
        )
