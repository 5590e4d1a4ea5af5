"""``pytupli benchmark list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.benchmarks.listing import StoredBenchmark

__all__ = ["command"]

_DIGITS = 12
_TITLE = 60


@click.command("list")
@json_option
@click.pass_obj
def command(output: Output) -> None:
    """List the benchmarks of the local store; those that cannot be read say why."""
    from pytupli_registry.benchmarks.listing import list_benchmarks  # noqa: PLC0415 - lazy, for a fast `--help`

    described = [_described(stored) for stored in list_benchmarks()]
    if output.document(described):
        return
    if not described:
        output.line(
            "There are no benchmarks yet. `pytupli benchmark init` and `pytupli catalog install` make some."
        )
        return
    output.table(
        ("benchmark", "title", "environment", "difficulty", "datasets", "identity", "problem"),
        [_row(row) for row in described],
    )


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    identity = None if row["identity"] is None else row["identity"][:_DIGITS]
    told = (row["name"], row["title"], row["environment"], row["difficulty"])
    return (*told, len(row["datasets"]), identity, row["problem"])


def _described(stored: StoredBenchmark) -> dict[str, Any]:
    specification = stored.specification
    return {
        "name": stored.name,
        "title": None if specification is None else specification.title or _begin(specification.description),
        "environment": None if specification is None else specification.environment.id,
        "difficulty": None if specification is None else specification.difficulty,
        "datasets": stored.datasets,
        "identity": stored.identity,
        "directory": stored.directory,
        "problem": stored.problem,
    }


def _begin(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"
