"""``pytupli-server backup DIR TARGET``: copy a Hub while it runs."""

from __future__ import annotations

from pathlib import Path

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.server.options import directory_argument, opened, show_damages

__all__ = ["command"]


@click.command("backup")
@directory_argument
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--keep", type=click.IntRange(1), metavar="N", help="Keep the N newest snapshots; default: all."
)
@click.option(
    "--no-objects", is_flag=True, help="Copy the database alone; the object store has its own backup."
)
@json_option
@click.pass_context
def command(ctx: click.Context, directory: Path, target: Path, keep: int | None, *, no_objects: bool) -> None:
    """Copy a Hub while it runs.

    What is in TARGET already is not copied again. Exits with 1 if something was damaged.
    """
    from pytupli_registry.server.services.maintenance.backup.taking import take_backup  # noqa: PLC0415 - lazy, for a fast `--help`

    output = ctx.ensure_object(Output)
    with opened(directory) as hub, output.progress("Blobs") as advance:
        report = take_backup(hub, target, keep=keep, with_objects=not no_objects, progress=advance)
    if not output.document(report):
        output.line(f"Snapshot: {report.snapshot}")
        if report.copied:
            output.line(
                f"Blobs: {report.copied.blobs:,} copied ({report.copied.size:,} bytes), "
                f"{report.copied.skipped:,} were there, {report.pruned:,} not needed any more."
            )
    show_damages(ctx, report.copied)
