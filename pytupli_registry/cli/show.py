"""``pytupli show``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.options import filter_options, reference_argument
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.dataset.dataset import Description, Summary

__all__ = ["command"]


@click.command("show")
@reference_argument
@filter_options
@json_option
@click.pass_obj
def command(output: Output, reference: str, episodes: str | None, steps: str | None) -> None:
    """Show what a dataset holds, or what filters leave of it."""
    from pytupli_registry import api  # noqa: PLC0415

    dataset = api.load(reference, episodes, steps)
    description = dataset.describe()
    if output.document({**dataclasses.asdict(description), "extra": dict(dataset.metadata.extra)}):
        return
    output.facts(_facts(description))
    output.line("")
    output.table(
        ("", "min", "mean", "median", "max"),
        [_row("return", description.returns), _row("length", description.lengths)],
    )
    output.line("")
    output.table(("leaf", "values"), list(description.leaves.items()))
    output.line("")
    output.line(f"Filter by: {', '.join(description.fields)}")


def _facts(description: Description) -> dict[str, object]:
    facts: dict[str, object] = {
        "dataset": description.dataset_id,
        "source": description.source,
        "environment": description.environment_id,
        "episodes": _of(description.episodes, description.total_episodes),
        "steps": description.steps,
        "transitions": description.transitions,
        "terminated": description.terminated,
        "truncated": description.truncated,
    }
    if description.lossy:
        facts["images"] = "lossy (JPEG)"
    return facts


def _of(kept: int, total: int) -> str:
    return f"{kept:,}" if kept == total else f"{kept:,} of {total:,}"


def _row(name: str, summary: Summary) -> tuple[object, ...]:
    return (name, summary.minimum, summary.mean, summary.median, summary.maximum)
