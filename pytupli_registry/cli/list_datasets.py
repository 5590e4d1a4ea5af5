"""``pytupli list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.storage.local import StoredDataset

__all__ = ["command"]


@click.command("list")
@json_option
@click.pass_obj
def command(output: Output) -> None:
    """List the datasets of the local store."""
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`

    described = [_describe(stored) for stored in api.list_datasets()]
    if output.document(described):
        return
    if not described:
        output.line("There are no datasets yet. `pytupli record` and `pytupli import` make some.")
        return
    output.table(
        ("dataset", "episodes", "steps", "bytes", "environment", "problem"),
        [tuple(row.values()) for row in described],
    )


def _describe(stored: StoredDataset) -> dict[str, object]:
    metadata = stored.metadata
    return {
        "dataset_id": stored.dataset_id,
        "episodes": metadata.total_episodes if metadata else None,
        "steps": metadata.total_steps if metadata else None,
        "bytes": stored.size,
        "environment_id": metadata.environment_id if metadata else None,
        "problem": stored.problem,
    }
