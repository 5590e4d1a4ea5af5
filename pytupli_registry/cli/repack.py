"""``pytupli repack``."""

from __future__ import annotations

import click

from pytupli_registry.cli.options import reference_argument
from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("repack")
@reference_argument
@json_option
@click.pass_obj
def command(output: Output, reference: str) -> None:
    """Rewrite a dataset that was appended to, so that every column is one piece of the file again."""
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`

    dataset = api.repack(reference)
    if not output.document({"dataset_id": dataset.metadata.dataset_id, "episodes": dataset.episode_count}):
        output.line(f"Repacked {dataset.metadata.dataset_id}.")
