"""``pytupli revisions``."""

from __future__ import annotations

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["command"]

_SHORT = 12


@click.command("revisions")
@click.argument("reference", metavar="REPO[@REVISION]")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many commits."
)
@json_option
@click.pass_obj
def command(output: Output, reference: str, limit: int) -> None:
    """List branches, tags and the last commits of a repository on the Hub: acme/hvac."""
    from pytupli_registry.hub.revisions import revisions  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.hub.snapshots import Hub  # noqa: PLC0415
    from pytupli_registry.references import Reference  # noqa: PLC0415

    asked = Reference.parse_repository(reference)
    found = revisions(Hub(), asked.repo, asked.revision, limit=limit)
    if output.document(found):
        return
    kinds = (("branch", found.branches), ("tag", found.tags))
    rows = [(name, kind, commit[:_SHORT]) for kind, names in kinds for name, commit in names.items()]
    output.table(("revision", "kind", "commit"), rows)
    output.line("")
    output.table(
        ("commit", "date", "by", "what"),
        [(one.commit[:_SHORT], one.date[:10], ", ".join(one.authors), one.title) for one in found.commits],
    )
