"""``pytupli list``."""

from __future__ import annotations

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("list")
@json_option
@click.pass_obj
def command(output: Output) -> None:
    """List the datasets of the local store."""
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`

    found = api.list_datasets()
    described = [
        {
            "dataset_id": metadata.dataset_id,
            "episodes": metadata.total_episodes,
            "steps": metadata.total_steps,
            "environment_id": metadata.environment_id,
        }
        for metadata in found
    ]
    if output.document(described):
        return
    if not described:
        output.line("There are no datasets yet. `pytupli record` and `pytupli import` make some.")
        return
    output.table(("dataset", "episodes", "steps", "environment"), [tuple(row.values()) for row in described])
