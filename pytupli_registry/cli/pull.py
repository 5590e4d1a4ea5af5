"""``pytupli pull``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.options import filter_options, reference_argument
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.remote.pulling import PullPlan

__all__ = ["command"]


@click.command("pull")
@reference_argument
@filter_options
@click.option("--plan", "only_plan", is_flag=True, help="Say what would travel, and bring nothing.")
@click.option("--save", "saved_id", metavar="NEW-ID", help="Write what was pulled as a new local dataset.")
@json_option
@click.pass_obj
def command(
    output: Output,
    reference: str,
    episodes: str | None,
    steps: str | None,
    only_plan: bool,
    saved_id: str | None,
) -> None:
    """Bring what filters keep of a dataset on a Hub to this machine, ready for work without a network.

    Only the bytes that are needed travel, and only once; what is here is checked and kept in the cache
    (`pytupli cache list`).
    """
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.remote.pulling import plan_pull  # noqa: PLC0415
    from pytupli_registry.remote.pulling import pull as bring  # noqa: PLC0415

    if only_plan and saved_id is not None:
        raise click.UsageError("--plan brings nothing that --save could write.")
    moved = _Moved()
    dataset = api.open_reference(reference, advance=moved.add)
    chosen = dataset if episodes is None else dataset.where(episodes)
    plan = plan_pull(chosen, steps)
    if only_plan:
        if not output.document({"plan": plan, **_origin(dataset)}):
            _show_plan(output, dataset, plan)
        return
    with output.progress(f"Pulling {reference}", None if plan is None else plan.travelling_bytes) as advance:
        moved.advance = advance
        kept = chosen if steps is None else chosen.where(steps=steps)
        bring(kept)
    if saved_id is not None:
        with output.progress(f"Writing {saved_id}", kept.episode_count) as advance:
            api.save(kept, saved_id, advance=advance)
    result = {
        "episodes": kept.episode_count,
        "transitions": kept.transition_count,
        "received_bytes": moved.total,
        "saved": saved_id,
        **_origin(dataset),
    }
    if not output.document(result):
        output.line(f"{kept.episode_count:,} episodes of {dataset.source} are here.")
        output.line(f"{_bytes(moved.total)} came over the network.")
        if saved_id is not None:
            output.line(f"Saved {saved_id}.")


class _Moved:
    """Counts bytes from the first on, and moves the bar once there is one."""

    def __init__(self) -> None:
        self.total = 0
        self.advance: Callable[[int], None] = lambda _: None

    def add(self, size: int) -> None:
        self.total += size
        self.advance(size)


def _origin(dataset: Dataset) -> dict[str, Any]:
    return {"origin": dataset.origin, "source": dataset.source}


def _show_plan(output: Output, dataset: Dataset, plan: PullPlan | None) -> None:
    if plan is None:
        output.line(f"{dataset.source} is here as a whole; nothing would travel.")
        return
    at_most = "" if plan.is_exact else "at most "
    output.facts(
        {
            "from": dataset.source,
            "episodes": f"{at_most}{plan.episodes:,} of {plan.total_episodes:,}",
            "bytes": f"{at_most}{_bytes(plan.travelling_bytes)} of {_bytes(plan.total_bytes)}",
            "needed": f"{at_most}{_bytes(plan.wanted_bytes)}",
            "requests": f"{at_most}{plan.requests:,}",
            "how": "the whole file" if plan.is_whole else "ranges",
            "seconds": f"about {plan.seconds:.2g}",
        }
    )


def _bytes(count: int) -> str:
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{size:.3g} {units[0]}"
