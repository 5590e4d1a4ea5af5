"""``pytupli benchmark validate``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.benchmark.options import complete_benchmark
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytupli_registry.validation.benchmark import BenchmarkReport
    from pytupli_registry.validation.report import Problem

__all__ = ["command"]


@click.command("validate")
@click.argument("references", metavar="[NAME|DIR]...", nargs=-1, shell_complete=complete_benchmark)
@click.option("--all", "every", is_flag=True, help="Check every local benchmark.")
@click.option("--datasets", is_flag=True, help="Check every value of its datasets, too.")
@click.option("--no-adapters", is_flag=True, help="Of those, do not compare with what d3rlpy and Minari get.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, references: tuple[str, ...], every: bool, datasets: bool, no_adapters: bool
) -> None:
    """Check benchmarks, and tell everything that is wrong with them; nothing is imported or built.

    The exit code is 1 where there is an error.
    """
    from pytupli_registry.benchmarks.home import find_benchmark, local_benchmarks  # noqa: PLC0415 - lazy
    from pytupli_registry.validation.benchmark import validate_benchmark  # noqa: PLC0415

    if every == bool(references):
        raise click.UsageError("Give names or directories of benchmarks, or --all.")
    output = ctx.ensure_object(Output)
    places: dict[str, Path] = (
        local_benchmarks() if every else {name: find_benchmark(name) for name in references}
    )
    reports: dict[str, BenchmarkReport] = {}
    for name, directory in places.items():
        with output.progress(f"Checking {name}") as advance:
            reports[name] = validate_benchmark(
                directory, datasets=datasets, adapters=not no_adapters, advance=advance
            )
    documents = [
        {"reference": name, "ok": found.ok, **dataclasses.asdict(found)} for name, found in reports.items()
    ]
    if not output.document(documents[0] if len(references) == 1 else documents):
        for name, report in reports.items():
            _show(output, name, report)
        if not reports:
            output.line("There are no benchmarks yet.")
    if not all(report.ok for report in reports.values()):
        ctx.exit(1)


def _show(output: Output, name: str, report: BenchmarkReport) -> None:
    problems = [*report.problems, *_of_datasets(report)]
    errors = sum(problem.level == "error" for problem in problems)
    output.line(
        f"{name}: {'ok' if report.ok else 'not ok'}; errors: {errors}, warnings: {len(problems) - errors}; "
        f"{report.artifacts_checked:,} artifacts and {report.datasets_checked:,} datasets are there as listed."
    )
    if problems:
        output.table(
            ("level", "where", "what", "places"),
            [(problem.level, problem.where, problem.message, problem.count) for problem in problems],
        )


def _of_datasets(report: BenchmarkReport) -> Iterable[Problem]:
    for name, found in report.datasets.items():
        for problem in found.problems:
            yield dataclasses.replace(problem, where=f"{name}: {problem.where}")
