"""Arguments and options that several commands about benchmarks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["benchmark_argument", "complete_benchmark", "permission_options"]


def complete_benchmark(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the local benchmarks."""
    del ctx, parameter
    from pytupli_registry.benchmarks.home import local_benchmarks  # noqa: PLC0415 - lazy, for a fast `--help`

    return [CompletionItem(name) for name in local_benchmarks() if name.startswith(incomplete)]


benchmark_argument = click.argument("reference", metavar="NAME|DIR", shell_complete=complete_benchmark)


def permission_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--allow`` and ``--consent``."""
    function = click.option(
        "--consent",
        "consent",
        metavar="SHA256",
        multiple=True,
        help="Run the shipped code, or load the file, of this hash. Can be repeated.",
    )(function)
    return click.option(
        "--allow",
        "allow",
        metavar="MODULE",
        multiple=True,
        help="Build environments of this installed module, and of those below it. Can be repeated.",
    )(function)
