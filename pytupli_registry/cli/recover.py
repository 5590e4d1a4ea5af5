"""``pytupli recover``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.storage.commit import Unfinished

__all__ = ["command"]


@click.command("recover")
@click.argument("spool", required=False)
@click.option("--discard", is_flag=True, help="Delete the recording instead.")
@click.option("--as", "dataset_id", metavar="NEW-ID", help="Make a new dataset of this id instead.")
@json_option
@click.pass_obj
def command(output: Output, spool: str | None, discard: bool, dataset_id: str | None) -> None:
    """List recordings that were cut off, or turn one into its dataset."""
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`

    if spool is None:
        if discard or dataset_id is not None:
            raise click.UsageError(f"Name the recording to {'delete' if discard else 'recover'}.")
        _list(output, api.unfinished())
    elif discard:
        api.discard(spool)
        if not output.document({"discarded": spool}):
            output.line(f"Deleted {spool}.")
    else:
        dataset = api.recover(spool, dataset_id)
        recovered = {"dataset_id": dataset.metadata.dataset_id, "episodes": dataset.episode_count}
        if not output.document(recovered):
            output.line(f"Recovered {dataset.metadata.dataset_id}: {dataset.episode_count:,} episodes.")


def _list(output: Output, found: list[Unfinished]) -> None:
    rows = [
        {"spool": one.spool.name, "dataset_id": one.dataset_id, "episodes": one.episodes, "live": one.live}
        for one in found
    ]
    if output.document(rows):
        return
    if not rows:
        output.line("No recording was cut off.")
        return
    output.table(("spool", "dataset", "episodes", "being written"), [tuple(row.values()) for row in rows])
