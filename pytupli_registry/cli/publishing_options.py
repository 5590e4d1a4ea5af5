"""What the commands that write to a Hub have in common."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytupli_registry.cli.output import Output
    from pytupli_registry.publishing.publication import Publication

__all__ = ["shows_bars", "tell", "writing_options"]


def writing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--dry-run`` and ``--message``."""
    function = click.option("--message", metavar="TEXT", help="What the commit says.")(function)
    return click.option("--dry-run", is_flag=True, help="Check everything and show what would be sent.")(
        function
    )


def shows_bars(output: Output) -> bool:
    """Whether the Hub's client may draw its progress bars."""
    return not output.as_json and sys.stderr.isatty()


def tell(output: Output, made: Publication) -> None:
    """Print what came of it."""
    for warning in made.warnings:
        output.note(f"Warning: {warning}")
    if output.document({**plain(made), "size": made.size}):
        return
    if not made.files:
        output.line(f"{made.repo} has all of it already, at {made.commit or 'its head'}.")
        return
    output.table(("file", "bytes"), list(made.files.items()))
    count = f"{len(made.files)} {'file' if len(made.files) == 1 else 'files'}, {made.size / 1e6:,.1f} MB"
    if made.dry_run:
        output.line(f"Would publish {count} to {made.repo}; nothing was sent.")
    else:
        output.line(f"Published {count} to {made.repo} at {made.commit}.")
        output.line(made.url)
