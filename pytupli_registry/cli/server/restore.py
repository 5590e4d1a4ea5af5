"""``pytupli-server restore TARGET DIR``: make a Hub out of a backup."""

from __future__ import annotations

from pathlib import Path

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.server.options import directory_argument, show_damages

__all__ = ["command"]


@click.command("restore")
@click.argument("target", type=click.Path(path_type=Path))
@directory_argument
@click.option("--snapshot", metavar="NAME", help="Which one; default: the newest.")
@click.option(
    "--database-url", metavar="URL", help="An empty database instead of the one in the backup's hub.toml."
)
@click.option(
    "--objects-url", metavar="URL", help="s3://bucket/prefix, … instead of the one in the backup's hub.toml."
)
@click.option(
    "--objects-option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="Option of the object store; repeatable.",
)
@click.option(
    "--local", is_flag=True, help="Use SQLite and a folder in DIR, whatever the backup's hub.toml says."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    target: Path,
    directory: Path,
    snapshot: str | None,
    database_url: str | None,
    objects_url: str | None,
    options: tuple[str, ...],
    *,
    local: bool,
) -> None:
    """Make a Hub out of a backup.

    DIR is missing or empty; database and objects may be of another kind than they were.
    """
    from pytupli_registry.server.services.maintenance.backup.restoring import restore_backup  # noqa: PLC0415 - lazy, for a fast `--help`

    output = ctx.ensure_object(Output)
    chosen = {"database_url": database_url, "objects_url": objects_url, "objects_options": _read(options)}
    given = {name: value for name, value in chosen.items() if value}
    with output.progress("Blobs") as advance:
        report = restore_backup(
            target, directory, snapshot=snapshot, chosen=given, local=local, progress=advance
        )
    if not output.document(report):
        output.line(f"Made a Hub in {directory} as it was on {report.manifest.made_at}.")
        if report.copied is None:
            output.line("The backup has no blobs: bring them back into the object store yourself.")
        output.line(f"Next: pytupli-server fsck {directory}, then pytupli-server start {directory}")
    show_damages(ctx, report.copied)


def _read(options: tuple[str, ...]) -> dict[str, str]:
    pairs = [option.partition("=") for option in options]
    if any(not sign for _, sign, _ in pairs):
        raise click.BadParameter("an option of the object store is NAME=VALUE", param_hint="--objects-option")
    return {name: value for name, _, value in pairs}
