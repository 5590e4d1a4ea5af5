"""Arguments that several commands share, and the Hub they work on."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.maintenance.backup.blobs import Copied
    from pytupli_registry.server.settings import Settings

__all__ = ["directory_argument", "opened", "show_damages"]

directory_argument = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))


@contextmanager
def opened(directory: Path, settings: Settings | None = None) -> Iterator[Hub]:
    """Open the Hub in a directory, and close it at the end.

    Raises:
        SettingsError: there is none, or its configuration is not possible.
        MaintenanceError: its database is of another version.
        Unavailable: its database does not answer.
    """
    from pytupli_registry.server.services.hub import Hub  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.server.services.maintenance.state import check_schema  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.server.settings import Settings  # noqa: PLC0415 - lazy, for a fast `--help`

    hub = Hub.open(settings or Settings.load(directory))
    try:
        check_schema(hub.database, directory)
        yield hub
    finally:
        hub.close()


def show_damages(ctx: click.Context, copied: Copied | None) -> None:
    """Say which blobs could not be copied, and exit with 1 if there are any."""
    if copied is None or not copied.damaged:
        return
    for damage in copied.damages:
        click.echo(f"Damaged: {damage}", err=True)
    click.echo(f"{copied.damaged} blobs are damaged; docs/server.md says what to do.", err=True)
    ctx.exit(1)
