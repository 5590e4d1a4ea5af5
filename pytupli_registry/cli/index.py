"""``pytupli index``."""

from __future__ import annotations

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.publishing_options import shows_bars, tell

__all__ = ["command"]


@click.command("index")
@click.argument("reference")
@click.option("--remote", is_flag=True, help="Of a dataset on the Hub: commit the index beside it.")
@click.option("--dry-run", is_flag=True, help="With --remote: build it, and show what would be sent.")
@json_option
@click.pass_obj
def command(output: Output, reference: str, remote: bool, dry_run: bool) -> None:
    """Build episodes.parquet for a dataset that has none that fits, as those that stock Minari wrote or uploaded.

    With --remote, REFERENCE may be a repository (acme/hvac): then all datasets in it are looked at.
    """
    if remote:
        from pytupli_registry.publishing.indexing import index_remote  # noqa: PLC0415 - lazy, for a fast `--help`

        tell(output, index_remote(reference, dry_run=dry_run, bars=shows_bars(output)))
        return
    from pytupli_registry import api  # noqa: PLC0415

    if dry_run:
        raise click.UsageError("--dry-run goes with --remote.")
    dataset = api.load(reference)  # an index that is missing or wrong is built when a dataset is opened
    if not output.document({"dataset_id": dataset.metadata.dataset_id, "episodes": dataset.episode_count}):
        output.line(f"{dataset.metadata.dataset_id} is indexed: {dataset.episode_count:,} episodes.")
