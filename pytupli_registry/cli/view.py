"""``pytupli view``: selections of a dataset under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.options import complete_reference, filter_options, reference_argument
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.remote.views import View

__all__ = ["command"]

_SHORT = 12

view_argument = click.argument("reference", metavar="REF#NAME", shell_complete=complete_reference)


@click.group("view")
def command() -> None:
    """Name selections of a dataset, so that others load exactly the same: acme/hvac/summer-v0#expert-july."""


@command.command("save")
@reference_argument
@click.argument("name")
@filter_options
@click.option("--description", default="", help="For people.")
@click.option("--replace", is_flag=True, help="Put it in the place of a view of other data.")
@json_option
@click.pass_obj
def save(
    output: Output,
    reference: str,
    name: str,
    episodes: str | None,
    steps: str | None,
    description: str,
    replace: bool,
) -> None:
    """Save what filters keep of a dataset under a name; on a Hub, in one commit."""
    from pytupli_registry import selections  # noqa: PLC0415 - lazy, for a fast `--help`

    view = selections.save_view(
        reference, name, episodes=episodes, steps=steps, description=description, replace=replace
    )
    if not output.document(_document(view)):
        kept = view.selection
        output.line(
            f"{view.name} keeps {kept.transitions:,} transitions of {kept.episodes:,} episodes: {view.sha256}"
        )


@command.command("list")
@reference_argument
@json_option
@click.pass_obj
def list_views(output: Output, reference: str) -> None:
    """List the views of a dataset."""
    from pytupli_registry import selections  # noqa: PLC0415

    found = selections.list_views(reference)
    if output.document([_document(view) for view in found]):
        return
    if not found:
        output.line("There are no views. `pytupli view save` makes one.")
        return
    output.table(
        ("view", "episodes", "transitions", "episode filter", "step filter", "hash", "description"),
        [_row(view) for view in found],
    )


@command.command("show")
@view_argument
@json_option
@click.pass_obj
def show(output: Output, reference: str) -> None:
    """Show a view, by its name or the first 12 digits of its hash; `pytupli show REF#NAME` checks and applies it."""
    from pytupli_registry import selections  # noqa: PLC0415

    view = selections.find_view(reference)
    if not output.document(_document(view)):
        output.facts({"view": view.name, "hash": view.sha256, **_facts(view)})


@command.command("delete")
@view_argument
@click.confirmation_option(prompt="Delete the view? Who has cited it will not find it.", help="Do not ask.")
@json_option
@click.pass_obj
def delete(output: Output, reference: str) -> None:
    """Delete a view; the data stays."""
    from pytupli_registry import selections  # noqa: PLC0415

    selections.delete_view(reference)
    if not output.document({"deleted": reference}):
        output.line(f"Deleted the view {reference}.")


def _document(view: View) -> dict[str, object]:
    return {"sha256": view.sha256, **{name: getattr(view, name) for name in view.__dataclass_fields__}}


def _facts(view: View) -> dict[str, object]:
    kept = view.selection
    return {
        "dataset": view.dataset_id,
        "saved of": view.source,
        "at": view.created_at,
        "episode filter": view.episodes,
        "step filter": view.steps,
        "episodes": kept.episodes,
        "steps": kept.steps,
        "transitions": kept.transitions,
        "description": view.description or None,
    }


def _row(view: View) -> tuple[object, ...]:
    kept = view.selection
    return (
        view.name,
        kept.episodes,
        kept.transitions,
        view.episodes,
        view.steps,
        view.sha256[:_SHORT],
        view.description or None,
    )
