"""``pytupli cache verify``."""

from __future__ import annotations

from pathlib import Path

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]


@click.command("verify")
@json_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Compare every byte that came from a Hub with its checksum; what is damaged is forgotten, and comes again.

    The exit code is 1 where something was damaged.
    """
    from pytupli_registry.storage.mirrors import Mirrors  # noqa: PLC0415 - lazy, for a fast `--help`

    output: Output = ctx.obj
    mirrors = Mirrors.from_environment()
    damaged: dict[str, int] = {}
    found = mirrors.list()
    with output.progress("Verifying", len(found)) as advance:
        for facts in found:
            if facts.size is not None:
                mirror = mirrors.open(facts.sha256, facts.size)
                is_lost = facts.whole is not None and not mirror.is_whole and Path(facts.whole).exists()
                count = facts.size if is_lost else mirror.verify().total
                if count:
                    damaged[facts.sha256] = count
            advance(1)
    if not output.document({"verified": len(found), "damaged_bytes": damaged}):
        output.line(f"Verified {len(found)} files.")
        for sha256, count in damaged.items():
            output.line(f"{sha256}: {count:,} bytes were damaged; they come again when they are needed.")
    if damaged:
        ctx.exit(1)
