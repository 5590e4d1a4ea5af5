"""``pytupli show``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.options import filter_options, reference_argument
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.dataset.dataset import Description, Summary
    from pytupli_registry.references import Reference

__all__ = ["command"]


@click.command("show")
@reference_argument
@filter_options
@json_option
@click.pass_obj
def command(output: Output, reference: str, episodes: str | None, steps: str | None) -> None:
    """Show what a dataset holds, or what filters leave of it; of a repository on a Hub, its benchmark and datasets.

    Of datasets on a Hub the index and the metadata are read, and nothing else travels.
    """
    from pytupli_registry import api  # noqa: PLC0415
    from pytupli_registry.references import Reference  # noqa: PLC0415

    named = Reference.parse(reference)
    if named.dataset is None:
        if episodes or steps:
            raise click.UsageError("Filters are for one dataset, as in acme/hvac/summer-v0.")
        _show_repository(output, named)
        return
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


def _show_repository(output: Output, named: Reference) -> None:
    from pytupli_registry.cli.search import show_found  # noqa: PLC0415
    from pytupli_registry.remote.search import describe_repository  # noqa: PLC0415

    found = describe_repository(named.repo, named.revision)
    if output.document(found):
        return
    said = found.benchmark
    environment = said.get("environment")
    scores = said.get("reference_scores")
    facts = {
        "repository": found.repo,
        "commit": found.commit,
        "benchmark": said.get("title") or said.get("name"),
        "description": said.get("description"),
        "environment": environment.get("id") if isinstance(environment, dict) else None,
        "reference scores": {name: one.get("mean") for name, one in scores.items() if isinstance(one, dict)}
        if isinstance(scores, dict)
        else None,
        "licence": said.get("licence"),
    }
    output.facts({name: value for name, value in facts.items() if value})
    output.line("")
    show_found(output, found.datasets)
    for note in found.notes:
        output.note(note)
    if said:
        output.note(f"`pytupli benchmark show {named}` shows all of the benchmark.")


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
