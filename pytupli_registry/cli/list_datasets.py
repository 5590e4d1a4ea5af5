"""``pytupli list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.storage.local import StoredDataset

__all__ = ["command"]

_MOST = 1000


@click.command("list")
@click.option(
    "--remote",
    "organization",
    metavar="ORG",
    help="The benchmarks and datasets of an organization on the Hub instead.",
)
@json_option
@click.pass_obj
def command(output: Output, organization: str | None) -> None:
    """List the datasets of the local store, or of an organization on the Hub."""
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`

    if organization is not None:
        _list_remote(output, organization)
        return
    described = [_describe(stored) for stored in api.list_datasets()]
    if output.document(described):
        return
    if not described:
        output.line("There are no datasets yet. `pytupli record` and `pytupli import` make some.")
        return
    output.table(
        ("dataset", "episodes", "steps", "bytes", "environment", "problem"),
        [tuple(row.values()) for row in described],
    )


def _list_remote(output: Output, organization: str) -> None:
    from pytupli_registry.cli.search import show_found  # noqa: PLC0415
    from pytupli_registry.hub.search import Query, list_repositories  # noqa: PLC0415
    from pytupli_registry.hub.snapshots import Hub  # noqa: PLC0415
    from pytupli_registry.remote.finding import search  # noqa: PLC0415

    repositories = list(list_repositories(Hub(), Query(organization=organization)))
    found = search(organization=organization, limit=_MOST)
    without = sorted({one.name for one in repositories} - {one.repo for one in found})
    document = {
        "repositories": repositories,
        "datasets": list(found),
        "more": found.more,
        "notes": found.notes,
    }
    if output.document(document):
        return
    show_found(output, found)
    if without and not found.more:
        output.line(f"Without a dataset that you may read: {', '.join(without)}")
    for note in found.notes:
        output.note(note)
    if found.more:
        output.note(f"There are more than {_MOST:,}: `pytupli search --org {organization} --page …`")


def _describe(stored: StoredDataset) -> dict[str, object]:
    metadata = stored.metadata
    return {
        "dataset_id": stored.dataset_id,
        "episodes": metadata.total_episodes if metadata else None,
        "steps": metadata.total_steps if metadata else None,
        "bytes": stored.size,
        "environment_id": metadata.environment_id if metadata else None,
        "problem": stored.problem,
    }
