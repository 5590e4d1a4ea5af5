"""``pytupli delete``."""

from __future__ import annotations

import sys

import click

from pytupli_registry.cli.options import reference_argument
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import DatasetNotFound
from pytupli_registry.references import Reference

__all__ = ["command"]


@click.command("delete")
@reference_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(output: Output, reference: str, yes: bool) -> None:
    """Delete a dataset from the local store."""
    from pytupli_registry import api  # noqa: PLC0415

    if not yes and not _confirmed(reference, [stored.dataset_id for stored in api.list_datasets()]):
        output.line("Nothing was deleted.")
        return
    api.delete(reference)
    if not output.document({"deleted": reference}):
        output.line(f"Deleted {reference}.")


def _confirmed(reference: str, known: list[str]) -> bool:
    """Ask, unless there is nothing of that name."""
    if Reference.parse_dataset(reference).dataset_id not in known:
        raise DatasetNotFound(reference, "the local store", known=known)
    try:
        return click.confirm(f"Delete {reference} from the local store?", err=True)
    except click.Abort:
        if sys.stdin.isatty():  # Ctrl-C
            raise
        raise click.UsageError("Nobody answered. Give --yes to delete without a question.") from None
