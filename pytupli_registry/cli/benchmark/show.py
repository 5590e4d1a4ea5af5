"""``pytupli benchmark show``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.benchmark.facts import show_benchmark
from pytupli_registry.cli.benchmark.options import benchmark_argument
from pytupli_registry.cli.benchmark.permission import missing_requirements, options_needed, planned
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from pytupli_registry.benchmarks.benchmark import Benchmark

__all__ = ["command"]


@click.command("show")
@benchmark_argument
@json_option
@click.pass_obj
def command(output: Output, reference: str) -> None:
    """Show what a benchmark is, and what building its environment would need; nothing is built."""
    from pytupli_registry.benchmarks.benchmark import Benchmark  # noqa: PLC0415 - lazy, for a fast `--help`

    benchmark = Benchmark.load(reference)
    building = _building(benchmark)
    document = {
        "directory": benchmark.directory,
        "identity": benchmark.identity,
        "specification": benchmark.specification.model_dump(mode="json"),
        "datasets_here": benchmark.dataset_names,
        "building": building,
    }
    if output.document(document):
        return
    show_benchmark(output, benchmark)
    output.line("")
    _show_building(output, reference, building)


def _building(benchmark: Benchmark) -> dict[str, Any]:
    """Return what :meth:`Benchmark.make` would run and need, as far as that can be told."""
    if benchmark.specification.data_only:
        return {"possible": False, "problem": "Its owner shares the interface only."}
    missing = missing_requirements(benchmark.specification)
    needs = None if missing is None else {"problem": missing.message, "hint": missing.hint}
    try:
        plan = benchmark.plan()
        final = [refusal for refusal in plan.refusals if not refusal.may_be_allowed]
        options = options_needed(benchmark, plan.hashes) if plan.refusals and not final else []
    except PytupliError as error:
        return {"possible": False, "problem": str(error), "requirements": needs}
    return {
        "possible": not plan.refusals and missing is None,
        "requirements": needs,
        "options": options,
        **planned(plan),
    }


def _show_building(output: Output, reference: str, building: dict[str, Any]) -> None:
    output.line("To build it:")
    if problem := building.get("problem"):
        output.line(f"  It cannot be built here: {problem}")
        return
    for run in building["runs"]:
        output.line(f"  would run {run['shown']}  [{run['permitted_by']}]")
    for refusal in building["refusals"]:
        output.line(f"  {refusal['reason']}")
        for shown in refusal["runs"]:
            output.line(f"  would run {shown}  [not permitted yet]")
        if not building["options"]:
            output.line(f"  {refusal['hint']}")
    if building["requirements"]:
        output.line(f"  {building['requirements']['problem']}")
        output.line(f"  {building['requirements']['hint']}")
    if building["options"] or not building["refusals"]:
        words = ["pytupli", "benchmark", "make", reference, *building["options"]]
        output.line(f"  {shlex.join(words)}")
