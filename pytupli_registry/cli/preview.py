"""``pytupli preview``."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.options import filter_options, reference_argument
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytupli_registry.dataset.dataset import Dataset

__all__ = ["command"]


@click.command("preview")
@reference_argument
@click.option("-n", "count", type=click.IntRange(min=1), default=5, show_default=True, help="How many rows.")
@click.option("--by-episode", is_flag=True, help="Show episodes instead of transitions.")
@filter_options
@json_option
@click.pass_obj
def command(
    output: Output, reference: str, count: int, by_episode: bool, episodes: str | None, steps: str | None
) -> None:
    """Show the first transitions, or the first episodes, of a dataset."""
    from pytupli_registry import api  # noqa: PLC0415

    dataset = api.load(reference, episodes, steps)
    rows = _episodes(dataset, count) if by_episode else list(islice(_transitions(dataset, count), count))
    if output.document(rows):
        return
    if not rows:
        output.line("Nothing is left to show.")
        return
    output.table(tuple(rows[0]), [tuple(row.values()) for row in rows])


def _transitions(dataset: Dataset, count: int) -> Iterator[dict[str, Any]]:
    ids = dataset.fields["episode_id"].values
    if dataset.step_filter is None:  # every episode has a step at least: no more of them are needed
        dataset = replace(dataset, positions=dataset.positions[:count])
    for batch in islice(dataset.batches(count), 1):
        for number, transition in enumerate(batch):
            yield {
                "episode": int(ids[batch.positions[number]]),
                "step": int(batch.steps[number]),
                "observation": transition.observation,
                "action": transition.action,
                "reward": transition.reward,
                "next_observation": transition.next_observation,
                "terminated": transition.terminated,
                "truncated": transition.truncated,
            }


def _episodes(dataset: Dataset, count: int) -> list[dict[str, Any]]:
    hidden = {"min_reward", "max_reward", "mean_reward"}
    rows = []
    for position in dataset.positions[:count]:
        row = {}
        for name, field in dataset.fields.items():
            missing = field.missing is not None and bool(field.missing[position])
            if name not in hidden:
                value = field.values[position]
                row[name] = None if missing else value.item() if hasattr(value, "item") else value
        rows.append(row)
    return rows
