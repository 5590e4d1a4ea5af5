"""``pytupli import``."""

from __future__ import annotations

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("import")
@click.argument("source")
@click.option("--as", "dataset_id", metavar="DATASET-ID", help="A name other than its own.")
@json_option
@click.pass_obj
def command(output: Output, source: str, dataset_id: str | None) -> None:
    """Import a Minari dataset: a directory, or the id of one that Minari keeps here."""
    from pytupli_registry import api  # noqa: PLC0415

    known = next((stored.metadata for stored in api.list_datasets() if stored.dataset_id == source), None)
    with output.progress(f"Importing {source}", known.total_episodes if known else None) as advance:
        dataset = api.import_dataset(source, dataset_id, advance=advance)
    counts = {
        "dataset_id": dataset.metadata.dataset_id,
        "episodes": dataset.episode_count,
        "steps": dataset.step_count,
    }
    if not output.document(counts):
        output.line(
            f"Imported {counts['dataset_id']}: {dataset.episode_count:,} episodes, {dataset.step_count:,} steps."
        )
