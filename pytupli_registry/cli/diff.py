"""``pytupli diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.options import complete_reference, filter_options
from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytupli_registry.dataset.dataset import Description
    from pytupli_registry.remote.diff import ChangedEpisode, DatasetDiff

__all__ = ["command"]

_SHOWN = 20


@click.command("diff")
@click.argument("first", metavar="A", shell_complete=complete_reference)
@click.argument("second", metavar="B", shell_complete=complete_reference)
@filter_options
@json_option
@click.pass_context
def command(ctx: click.Context, first: str, second: str, episodes: str | None, steps: str | None) -> None:
    """Show what tells two datasets, or two revisions of one, apart; the exit code is 1 where they differ.

    Episodes are compared by the checksums in the indexes: of datasets on a Hub, the data itself does not travel.
    With filters, what they keep of both is compared.
    """
    from pytupli_registry import selections  # noqa: PLC0415 - lazy, for a fast `--help`

    output = ctx.ensure_object(Output)
    found = selections.diff(first, second, episodes=episodes, steps=steps)
    if not output.document({"same": found.is_same, **_document(found)}):
        _tell(output, found, first, second)
    if not found.is_same:
        ctx.exit(1)


def _document(found: DatasetDiff) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def _tell(output: Output, found: DatasetDiff, first: str, second: str) -> None:
    if found.is_same:
        output.line(f"There is no difference: {found.unchanged:,} episodes.")
    else:
        output.table(("", first, second), list(_statistics(found.before, found.after)))
        output.line("")
        output.facts(_counts(found))
    if found.changed:
        output.line("")
        output.table(("before", "after", "leaves", "facts"), [_row(one) for one in found.changed[:_SHOWN]])
        _more(output, len(found.changed))
    for title, differing in (("leaf", found.leaves), ("metadata", found.metadata)):
        if differing:
            output.line("")
            output.table((title, first, second), [(key, *values) for key, values in differing.items()])
    if found.uncompared:
        output.note(f"Not compared, for an index has no checksums of them: {', '.join(found.uncompared)}.")


def _statistics(before: Description, after: Description) -> Iterator[tuple[str, object, object]]:
    for name in ("episodes", "steps", "transitions", "terminated", "truncated", "environment_id"):
        yield name.removesuffix("_id"), getattr(before, name), getattr(after, name)
    for name in ("returns", "lengths"):
        for statistic in ("minimum", "mean", "maximum"):
            one, other = (getattr(getattr(found, name), statistic) for found in (before, after))
            yield f"{statistic} {name.removesuffix('s')}", one, other


def _counts(found: DatasetDiff) -> dict[str, object]:
    return {
        "unchanged": found.unchanged,
        "moved": len(found.moved),
        "added": _listed(found.added),
        "removed": _listed(found.removed),
        "changed": len(found.changed),
    }


def _listed(ids: Sequence[int]) -> str:
    """Return a number of episodes, and which: ``3 (0–1, 7)``."""
    runs: list[list[int]] = []
    for one in ids:
        if runs and runs[-1][1] == one - 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    shown = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:_SHOWN]]
    more = ["…"] * (len(runs) > _SHOWN)
    return f"{len(ids):,} ({', '.join(shown + more)})" if ids else "0"


def _row(episode: ChangedEpisode) -> tuple[object, ...]:
    return (episode.before, episode.after, ", ".join(episode.leaves), ", ".join(episode.facts))


def _more(output: Output, count: int) -> None:
    if count > _SHOWN:
        output.line(f"… and {count - _SHOWN:,} more; --json lists all.")
