"""The ``pytupli`` command: finds its commands when they are asked for, and turns errors into one sentence."""

from __future__ import annotations

import errno
from typing import Any

import click

from pytupli_registry import __version__
from pytupli_registry.cli.lazy import LazyGroup
from pytupli_registry.cli.output import Output
from pytupli_registry.errors import PytupliError

__all__ = ["COMMANDS", "main"]

# Each command is the object `command` of its module.
COMMANDS = {
    "append": "append",
    "benchmark": "benchmark",
    "branch": "branch",
    "cache": "cache",
    "catalog": "catalog",
    "completion": "completion",
    "consent": "consent",
    "delete": "delete",
    "diff": "diff",
    "filter": "filter",
    "import": "import_dataset",
    "index": "index",
    "list": "list_datasets",
    "login": "login",
    "logout": "logout",
    "merge": "merge",
    "org": "organization",
    "preview": "preview",
    "publish": "publish",
    "pull": "pull",
    "record": "record",
    "recover": "recover",
    "repack": "repack",
    "revisions": "revisions",
    "search": "search",
    "show": "show",
    "tag": "tag",
    "token": "token",
    "user": "user",
    "validate": "validate",
    "view": "view",
    "whoami": "whoami",
}

_FAILED = 1
_INTERRUPTED = 130


class _Group(LazyGroup):
    """Errors end in one sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except PytupliError as error:
            self._fail(ctx, type(error).__name__, *_told(error))
        except OSError as error:
            if error.errno == errno.EPIPE:  # `pytupli list | head`; click knows what to do
                raise
            self._fail(ctx, type(error).__name__, str(error), _notes(error))
        except (KeyboardInterrupt, click.Abort) as interruption:
            notes = _notes(interruption)
            click.echo(f"Interrupted.\n{notes}" if notes else "Interrupted.", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None

    def _fail(self, ctx: click.Context, kind: str, message: str, hint: str | None) -> None:
        ctx.ensure_object(Output).error(kind, message, hint)
        raise click.exceptions.Exit(_FAILED)


def _told(error: PytupliError) -> tuple[str, str | None]:
    """Return message and hint; a filter's message keeps the line that points at the character."""
    told = str(error)
    start = told.find("\n")
    message = error.message + (told[start:] if start >= 0 else "")
    return message, " ".join(filter(None, (error.hint, _notes(error)))) or None


def _notes(error: BaseException) -> str | None:
    """Return what was noted on the way up, as where a recording was left."""
    return " ".join(getattr(error, "__notes__", ())) or None


@click.group(
    cls=_Group,
    modules={name: f"pytupli_registry.cli.{module}" for name, module in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="pytupli")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; also understood after the command.")
@click.pass_context
def main(ctx: click.Context, *, as_json: bool) -> None:
    """Record, filter, check and load offline-RL datasets."""
    ctx.obj = Output(as_json=as_json)
