"""The ``pytupli-server`` command: finds its commands when they are asked for, and turns errors into one sentence."""

from __future__ import annotations

import errno
import sqlite3
from typing import Any

import click

from pytupli_registry import __version__
from pytupli_registry.cli.lazy import LazyGroup
from pytupli_registry.cli.output import Output
from pytupli_registry.server.errors import HubError
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.settings import SettingsError

__all__ = ["COMMANDS", "main"]

# Each command is the object `command` of its module.
COMMANDS = {
    "backup": "backup",
    "fsck": "fsck",
    "gc": "gc",
    "init": "init",
    "migrate": "migrate",
    "restore": "restore",
    "start": "start",
    "stats": "stats",
}

_FAILED = 1
_INTERRUPTED = 130


class _Group(LazyGroup):
    """Errors end in one sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except (MaintenanceError, SettingsError, HubError, sqlite3.Error) as error:
            self._fail(ctx, error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `pytupli-server stats | head`; click knows what to do
                raise
            self._fail(ctx, error)
        except (KeyboardInterrupt, click.Abort):
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None

    def _fail(self, ctx: click.Context, error: Exception) -> None:
        ctx.ensure_object(Output).error(type(error).__name__, str(error), None)
        raise click.exceptions.Exit(_FAILED)


@click.group(
    cls=_Group,
    modules={name: f"pytupli_registry.cli.server.{module}" for name, module in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="pytupli-server")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; also understood after the command.")
@click.pass_context
def main(ctx: click.Context, *, as_json: bool) -> None:
    """Run and look after a Hub: a private server for benchmarks, datasets and policies."""
    ctx.obj = Output(as_json=as_json)
