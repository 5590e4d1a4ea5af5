"""``pytupli benchmark evaluate``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.benchmark.options import benchmark_argument, permission_options
from pytupli_registry.cli.benchmark.permission import explained
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.benchmarks.benchmark import Benchmark
    from pytupli_registry.benchmarks.reproduction import Reproduction
    from pytupli_registry.benchmarks.results import Evaluation
    from pytupli_registry.benchmarks.statistics import Estimate, Statistics

__all__ = ["command"]

_MAX_RESULT = (64 << 20) + 1  # one byte more than a result file can have
_RESULT = click.Path(dir_okay=False, path_type=Path)
_PUBLISHED = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("evaluate")
@benchmark_argument
@click.option(
    "--policy",
    metavar="NAME|FILE",
    required=True,
    help="One of the benchmark's, `random`, or a file: .d3, .pt, .onnx.",
)
@click.option("--episodes", type=click.IntRange(min=1), help="Another number than the protocol's.")
@click.option(
    "--lanes", type=click.IntRange(1, 1024), default=8, show_default=True, help="Environments at a time."
)
@click.option("--run", metavar="TEXT", help="What tells training runs apart, the seed for instance.")
@click.option("--output", "result", type=_RESULT, help="Write a result file that others can reproduce.")
@click.option("--check", type=_PUBLISHED, help="Compare with a result file, episode by episode.")
@permission_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    reference: str,
    policy: str,
    episodes: int | None,
    lanes: int,
    run: str | None,
    result: Path | None,
    check: Path | None,
    allow: tuple[str, ...],
    consent: tuple[str, ...],
) -> None:
    """Score a policy by the benchmark's protocol, with 95 % confidence intervals.

    With --check the exit code is 1 where the result is not reproduced.
    """
    from pytupli_registry.benchmarks.benchmark import Benchmark  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.benchmarks.evaluation import compare  # noqa: PLC0415

    if result is not None and not result.absolute().parent.is_dir():  # hours later is too late to hear it
        raise click.BadParameter(f"there is no directory {str(result.parent)!r}", param_hint="--output")
    output, benchmark = ctx.ensure_object(Output), Benchmark.load(reference)
    published = None if check is None else _published(check)
    if published is not None:
        episodes = episodes or published.protocol.episodes
    benchmark, name = _with_file(benchmark, policy)
    total = episodes or benchmark.specification.evaluation.episodes
    with explained(ctx, benchmark), output.progress(f"Evaluating {policy}", total) as advance:
        found = benchmark.evaluate(
            name, episodes=episodes, lanes=lanes, run=run, allow=allow, consent=consent, advance=advance
        )
    if result is not None:
        result.write_text(found.to_json(), encoding="utf-8")
    reproduction = None if published is None else compare(published, found)
    document = {"evaluation": found.model_dump(mode="json"), "reproduction": reproduction}
    if not output.document(document):
        _show(output, found, reproduction)
    if reproduction is not None and reproduction.outcome == "different":
        ctx.exit(1)


def _published(path: Path) -> Evaluation:
    from pytupli_registry.benchmarks.results import Evaluation  # noqa: PLC0415 - lazy

    with path.open("rb") as file:
        return Evaluation.from_json(file.read(_MAX_RESULT), str(path))


def _with_file(benchmark: Benchmark, policy: str) -> tuple[Benchmark, str]:
    """Return the benchmark with the policy of a file, under a name that is free, unless it has one of that name."""
    path = Path(policy).expanduser()
    if policy == "random" or policy in benchmark.specification.policies:
        return benchmark, policy
    if not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise click.BadParameter(f"there is no file {policy!r}", param_hint="--policy")
        return benchmark, policy  # a name that the benchmark will say it does not have
    stem = re.sub(r"[^A-Za-z0-9_-]", "-", path.stem).lstrip("-")[:80] or "policy"
    taken = {*benchmark.specification.policies, *benchmark.specification.artifacts, "random"}
    name = next(
        name for name in (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))) if name not in taken
    )
    return benchmark.with_policy(name, path), name


def _show(output: Output, found: Evaluation, reproduction: Reproduction | None) -> None:
    policy, protocol = found.policy, found.protocol
    output.line(
        f"{policy.name} on {found.benchmark.name if found.benchmark else found.environment}: {protocol.episodes} "
        f"episodes with the seeds {protocol.seed} to {protocol.seeds[-1]}; 95 % confidence intervals in brackets."
    )
    output.table(
        ("", "mean", "median", "interquartile mean", "std", "min", "max"),
        [
            _row(name, figures)
            for name, figures in (
                ("return", found.returns),
                (f"return, discounted by {protocol.discount}", found.discounted_returns),
                ("length", found.lengths),
                ("normalised score", found.normalised),
            )
            if figures is not None
        ],
    )
    if found.normalised is None:
        output.line("Without reference scores for random and expert there is no normalised score.")
    if reproduction is not None:
        output.line(f"Reproduction – {reproduction.summary}")


def _row(name: str, figures: Statistics) -> tuple[object, ...]:
    estimates = (figures.mean, figures.median, figures.iqm)
    return (name, *map(_estimate, estimates), figures.std, figures.minimum, figures.maximum)


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.5g} [{estimate.low:.5g}, {estimate.high:.5g}]"
