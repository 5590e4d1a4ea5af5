"""``pytupli benchmark verify``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.benchmark.options import benchmark_argument, permission_options
from pytupli_registry.cli.benchmark.permission import explained
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.benchmarks.replay import Difference, Drift
    from pytupli_registry.benchmarks.verification import Verification

__all__ = ["command"]

_DISTANCE = click.FloatRange(min=0)


@click.command("verify")
@benchmark_argument
@click.option("--dataset", metavar="NAME", help="Replay this dataset's episodes instead of the rollouts.")
@click.option("--episodes", type=click.IntRange(min=1), help="Of the dataset, how many, spread evenly.")
@click.option("--relative", type=_DISTANCE, help="Tolerance as a part of the recorded value.")
@click.option("--absolute", type=_DISTANCE, help="Tolerance beside that.")
@permission_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    reference: str,
    dataset: str | None,
    episodes: int | None,
    relative: float | None,
    absolute: float | None,
    allow: tuple[str, ...],
    consent: tuple[str, ...],
) -> None:
    """Replay what was recorded, and say whether this machine's simulator does the same.

    The exit code is 0 where it does, within the tolerance, and 1 where it does not or nothing can be replayed.
    """
    from pytupli_registry.benchmarks.benchmark import Benchmark  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.benchmarks.replay import Tolerance  # noqa: PLC0415

    if episodes is not None and dataset is None:
        raise click.UsageError("--episodes goes with --dataset.")
    given = {"relative": relative, "absolute": absolute}
    tolerance = dataclasses.replace(
        Tolerance(), **{name: value for name, value in given.items() if value is not None}
    )
    output, benchmark = ctx.ensure_object(Output), Benchmark.load(reference)
    with explained(ctx, benchmark), output.progress(f"Replaying {benchmark.name}", episodes) as advance:
        verification = benchmark.verify(
            dataset, episodes=episodes, tolerance=tolerance, allow=allow, consent=consent, advance=advance
        )
    document = {"benchmark": benchmark.name, "dataset": dataset, "passed": verification.passed}
    if not output.document({**document, **dataclasses.asdict(verification)}):
        _show(output, verification)
    if not verification.passed:
        ctx.exit(1)


def _show(output: Output, verification: Verification) -> None:
    output.line(verification.summary)
    if verification.drifts:
        output.table(
            (verification.subject, "outcome", "steps", "largest difference", "where", "reason"),
            [_row(drift) for drift in verification.drifts],
        )
    for leaf in verification.left_out:
        output.line(f"Not compared, since it was stored with losses: {leaf}")


def _row(drift: Drift) -> tuple[object, ...]:
    shown = drift.first or drift.largest
    return (
        drift.episode,
        drift.outcome,
        drift.steps,
        None if shown is None or shown.absolute is None else f"{shown.absolute:.1e}",
        None if shown is None else _place(shown),
        drift.reason or None,
    )


def _place(difference: Difference) -> str:
    component = f"[{', '.join(map(str, difference.component))}]" if difference.component else ""
    when = "the reset" if difference.step is None else f"step {difference.step}"
    return f"{difference.leaf}{component}, {when}"
