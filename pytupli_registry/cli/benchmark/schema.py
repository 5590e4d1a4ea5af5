"""``pytupli benchmark schema``."""

from __future__ import annotations

import json

import click

__all__ = ["command"]


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of benchmark.json."""
    from pytupli_registry.benchmarks.reading import json_schema  # noqa: PLC0415 - lazy, for a fast `--help`

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
