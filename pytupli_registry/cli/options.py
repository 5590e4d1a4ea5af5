"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["complete_reference", "filter_options", "reference_argument"]


def complete_reference(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the ids of the local datasets."""
    del ctx, parameter
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`

    try:
        found = [stored.dataset_id for stored in api.list_datasets()]
    except (PytupliError, OSError):  # a shell that waits for completions can do nothing with an error
        return []
    return [CompletionItem(dataset_id) for dataset_id in found if dataset_id.startswith(incomplete)]


reference_argument = click.argument("reference", shell_complete=complete_reference)


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--episodes`` and ``--steps``."""
    function = click.option("--steps", metavar="EXPR", help="Keep the steps for which this is true.")(
        function
    )
    return click.option("--episodes", metavar="EXPR", help="Keep the episodes for which this is true.")(
        function
    )
