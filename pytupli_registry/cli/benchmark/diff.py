"""``pytupli benchmark diff``."""

from __future__ import annotations

import click

from pytupli_registry.cli.benchmark.options import complete_benchmark
from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("diff")
@click.argument("first", metavar="A", shell_complete=complete_benchmark)
@click.argument("second", metavar="B", shell_complete=complete_benchmark)
@json_option
@click.pass_context
def command(ctx: click.Context, first: str, second: str) -> None:
    """Show what tells two benchmarks apart; the exit code is 1 where they differ."""
    from pytupli_registry.benchmarks.benchmark import Benchmark  # noqa: PLC0415 - lazy, for a fast `--help`

    output = ctx.ensure_object(Output)
    one, other = Benchmark.load(first), Benchmark.load(second)
    found = one.differences(other)
    same = one.identity == other.identity
    if not output.document({"same_identity": same, "differences": list(found)}):
        if found:
            output.table(
                ("key", first, second, "kind"),
                [
                    (difference.where, difference.first, difference.second, difference.kind)
                    for difference in found
                ],
            )
        told = (
            "They have the same identity: they build the same environment, and score policies in the same way."
            if same
            else "Their identities differ: scores on the one say nothing of the other."
        )
        output.line(told if found else "There is no difference.")
    if found:
        ctx.exit(1)
