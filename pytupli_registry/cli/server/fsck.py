"""``pytupli-server fsck DIR``: check that everything is there, and right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.server.options import directory_argument, opened

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.server.services.maintenance.fsck.findings import Findings

__all__ = ["command"]

DAMAGED = 1


@click.command("fsck")
@directory_argument
@click.option("--deep", is_flag=True, help="Read all stored bytes again and compare their hashes.")
@json_option
@click.pass_context
def command(ctx: click.Context, directory: Path, *, deep: bool) -> None:
    """Check that everything is there, and right.

    The server may run meanwhile. Exits with 1 if there is damage.
    """
    from pytupli_registry.server.services.maintenance.fsck.check import check_hub  # noqa: PLC0415 - lazy, for a fast `--help`

    output = ctx.ensure_object(Output)
    with opened(directory) as hub, output.progress("Repositories and blobs") as advance:
        findings = check_hub(hub, deep=deep, progress=advance)
    if not output.document(findings):
        _show(output, findings)
    if findings.damaged:
        ctx.exit(DAMAGED)


def _show(output: Output, findings: Findings) -> None:
    if findings.kept:
        rows = [
            ("damage" if found.is_damage else "note", found.kind, found.subject, found.message)
            for found in sorted(findings.kept, key=lambda found: not found.is_damage)
        ]
        output.table(("", "Kind", "Which", "What"), rows)
    output.line("Checked: " + ", ".join(f"{count:,} {kind}" for kind, count in findings.checked.items()))
    if findings.damaged:
        output.line(f"{findings.damaged} damaged; docs/server.md says what to do.")
    else:
        output.line(f"No damage. {findings.noted} harmless remains." if findings.noted else "No damage.")
