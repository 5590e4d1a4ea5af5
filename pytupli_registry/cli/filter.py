"""``pytupli filter``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.options import filter_options, reference_argument
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.dataset.dataset import Dataset

__all__ = ["command"]


@click.command("filter")
@reference_argument
@filter_options
@click.option("--save", "saved_id", metavar="NEW-ID", help="Write what stays as a new local dataset.")
@json_option
@click.pass_obj
def command(
    output: Output, reference: str, episodes: str | None, steps: str | None, saved_id: str | None
) -> None:
    """Show what filters leave of a dataset, and save it on request.

    With --steps, each run of kept steps becomes an episode of the saved dataset; its last step is truncated unless
    it terminated.
    """
    from pytupli_registry import api  # noqa: PLC0415

    if episodes is None and steps is None:
        raise click.UsageError("Give --episodes, --steps or both.")
    before = api.load(reference)
    after = before.where(episodes, steps)
    result = {"before": _counts(before), "after": _counts(after), "saved": saved_id}
    if saved_id is not None:
        with output.progress(f"Writing {saved_id}", after.episode_count) as advance:
            api.save(after, saved_id, advance=advance)
    if output.document(result):
        return
    output.table(
        ("", "episodes", "transitions", "return min", "mean", "median", "max"),
        [(name, *_row(result[name])) for name in ("before", "after")],
    )
    if saved_id is not None:
        output.line(f"Saved {saved_id}.")


def _counts(dataset: Dataset) -> dict[str, Any]:
    described = dataset.describe()
    return {
        "episodes": described.episodes,
        "transitions": described.transitions,
        "returns": described.returns,
        "episode_filter": described.episode_filter,
        "step_filter": described.step_filter,
    }


def _row(counts: Any) -> tuple[object, ...]:  # noqa: ANN401 - one of the two dictionaries above
    returns = counts["returns"]
    return (
        counts["episodes"],
        counts["transitions"],
        returns.minimum,
        returns.mean,
        returns.median,
        returns.maximum,
    )
