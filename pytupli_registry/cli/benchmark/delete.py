"""``pytupli benchmark delete``."""

from __future__ import annotations

import sys

import click

from pytupli_registry.cli.benchmark.options import benchmark_argument
from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("delete")
@benchmark_argument
@click.option("--datasets", is_flag=True, help="Delete its datasets, too; they stay otherwise.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(output: Output, reference: str, datasets: bool, yes: bool) -> None:
    """Delete a benchmark from disk; its datasets stay unless they are to go, too."""
    from pytupli_registry.benchmarks.benchmark import Benchmark  # noqa: PLC0415 - lazy, for a fast `--help`

    benchmark = Benchmark.load(reference)
    here = benchmark.dataset_names
    fate = f"with {len(here)} datasets" if datasets else f"but not its {len(here)} datasets"
    told = f"the benchmark {benchmark.name} in {benchmark.directory}{f', {fate}' if here else ''}"
    if not yes and not _confirmed(f"Delete {told}?"):
        output.line("Nothing was deleted.")
        return
    benchmark.delete(datasets=datasets)
    gone = {"deleted": benchmark.name, "directory": benchmark.directory, "datasets": here if datasets else ()}
    if not output.document(gone):
        output.line(f"Deleted {told}.")


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():  # Ctrl-C
            raise
        raise click.UsageError("Nobody answered. Give --yes to delete without a question.") from None
