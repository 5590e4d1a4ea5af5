"""What commands print: tables for people, JSON for programs, progress while one waits."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

__all__ = ["Output", "json_option", "plain"]

# Tables that are piped somewhere are not cut to a screen that does not exist.
_WIDTH_OF_A_PIPE = 400
_CELL = 60
_PARTS = 8


@dataclasses.dataclass(slots=True)
class Output:
    """Where a command's results go.

    Attributes:
        as_json: print one JSON document instead of tables.
    """

    as_json: bool = False

    def document(self, value: object) -> bool:
        """Print a value if JSON was asked for, and say whether it was."""
        if self.as_json:
            click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))
        return self.as_json

    def line(self, text: str) -> None:
        """Print one line for people."""
        click.echo(clean(text))

    def note(self, text: str) -> None:
        """Print one line for people to stderr, beside an error; programs get the error alone."""
        if not self.as_json:
            click.echo(clean(text), err=True)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows for people; numbers stand to the right."""
        from rich.table import Table  # noqa: PLC0415 - half the time of `pytupli --help`
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column, heading in enumerate(headings):
            numbers = all(isinstance(row[column], int | float) for row in rows)
            table.add_column(Text(heading), justify="right" if numbers and rows else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(clean(_cell(value))) for value in row))
        _console().print(table)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Print names and values for people, one a line."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.line(f"{name:<{width}}  {_cell(value)}")

    def error(self, kind: str, message: str, hint: str | None) -> None:
        """Print what failed and what to do next to stderr."""
        if self.as_json:
            error = {"error": {"type": kind, "message": message, "hint": hint}}
            click.echo(json.dumps(error, ensure_ascii=False), err=True)
            return
        click.echo("Error: " + clean(message, keep="\n"), err=True)
        if hint:
            click.echo(f"Hint: {clean(hint)}", err=True)

    @contextmanager
    def progress(self, description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a progress bar on stderr while one waits; none where stderr is not a terminal.

        Yields:
            a function that takes by how much the work has advanced.
        """
        if self.as_json or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(clean(description).replace("[", r"\["), total=total)
            yield lambda amount: bar.advance(task, amount)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command understand ``--json``, as the group does."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Output).as_json = True

    return click.option(
        "--json", is_flag=True, expose_value=False, callback=remember, is_eager=True, help="Print JSON."
    )(function)


def plain(value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    """Return a value as JSON can hold it; numbers that are not finite become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars, without importing NumPy for `--help`
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def clean(text: str, keep: str = "") -> str:
    """Replace what could steer a terminal: data comes from strangers."""
    return "".join(
        character
        if character in keep or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}
        else "\ufffd"
        for character in text
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | Path) else _short(value)


def _short(value: object) -> str:
    text = json.dumps(_rounded(plain(value)), ensure_ascii=False)
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def _rounded(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [_rounded(inner) for inner in value[:_PARTS]] + ["…"] * (len(value) > _PARTS)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return value


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
