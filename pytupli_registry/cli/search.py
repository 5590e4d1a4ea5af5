"""``pytupli search``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.config import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytupli_registry.hub.search import Found

__all__ = ["command", "show_found"]

_QUALITY = re.compile(r"\s*([\w.-]{1,100})\s*(>=|<=)\s*([-+]?[0-9.]+(?:e[-+]?\d+)?)\s*", re.IGNORECASE)
SORTS = ("updated", "created", "downloads", "likes", "episodes", "steps", "size", "return", "score")
_BOUNDED = ("episodes", "steps", "size", "return", "score")


class _Size(click.ParamType[int]):
    """Bytes, as people write them."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        try:
            return parse_size(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def _bounds(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--min-episodes``, ``--max-episodes`` and so on."""
    kinds: dict[str, Any] = {"episodes": int, "steps": int, "size": _Size(), "return": float, "score": float}
    for name in reversed(_BOUNDED):
        for end in ("max", "min"):
            function = click.option(f"--{end}-{name}", type=kinds[name], help=_HELP.get((end, name)))(
                function
            )
    return function


_HELP = {
    ("min", "size"): "Bytes: 500MB, 20GiB.",
    ("min", "return"): "Of the mean over the episodes.",
    ("min", "score"): "Mean return, where the random policy has 0 and the expert 100.",
}


def _qualities(
    ctx: click.Context, param: click.Parameter, given: Sequence[str]
) -> dict[str, tuple[float | None, float | None]]:
    del ctx
    found: dict[str, tuple[float | None, float | None]] = {}
    for text in given:
        parts = _QUALITY.fullmatch(text)
        if parts is None:
            raise click.BadParameter(f"{text!r} is no bound. Write terminated>=0.9.", param=param)
        least, largest = found.get(parts[1], (None, None))
        bound = float(parts[3])
        found[parts[1]] = (bound, largest) if parts[2] == ">=" else (least, bound)
    return found


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--org", "organization", help="Only what this organization or user owns.")
@click.option(
    "--tag", "tags", multiple=True, help="Only repositories with this tag; may be given several times."
)
@click.option("--env", "environment", metavar="ID", help="Gymnasium's id; without a version, all versions.")
@click.option("--space-kind", "space", metavar="KIND", help="box, discrete, dict …: of either space.")
@click.option("--observation", metavar="KIND", help="Kind of the observation space.")
@click.option("--action", metavar="KIND", help="Kind of the action space.")
@click.option("--license", "licence", help="As huggingface.co spells it: mit, cc-by-4.0.")
@_bounds
@click.option(
    "--quality",
    multiple=True,
    callback=_qualities,
    metavar="NAME>=X",
    help="Bound of a number of the metadata, or of terminated or truncated, the shares of episodes that end so.",
)
@click.option("--sort", type=click.Choice(SORTS), default="updated", show_default=True)
@click.option("--ascending", is_flag=True, help="The smallest, or oldest, first.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--page", type=click.IntRange(1, 10_000), default=1, show_default=True)
@json_option
@click.pass_obj
def command(output: Output, /, words: tuple[str, ...], page: int, **asked: Any) -> None:  # noqa: ANN401
    """Find datasets on the Hub that you may read; everything given must hold."""
    from pytupli_registry.remote.finding import search as find  # noqa: PLC0415 - lazy, for a fast `--help`

    bounds: dict[str, Any] = {name: (asked.pop(f"min_{name}"), asked.pop(f"max_{name}")) for name in _BOUNDED}
    returns = bounds.pop("return")
    found = find(" ".join(words), page=page, returns=returns, **bounds, **asked)
    document = {"datasets": list(found), "page": page, "more": found.more, "notes": found.notes}
    if output.document(document):
        return
    for note in found.notes:
        output.note(note)
    show_found(output, found)
    if found.more:
        output.note(f"There is more: --page {page + 1}")


def show_found(output: Output, found: Sequence[Found]) -> None:
    """Print datasets as a table."""
    if not found:
        output.line("There is no such dataset that you may read.")
        return
    output.table(
        ("dataset", "environment", "episodes", "steps", "bytes", "mean return", "score", "observation", "action", "updated"),
        [_row(one) for one in found],
    )  # fmt: skip


def _row(found: Found) -> tuple[object, ...]:
    return (
        found.reference + (" (private)" if found.private else ""),
        found.environment,
        found.episodes,
        found.steps,
        found.size,
        None if found.returns is None else found.returns.mean,
        found.score,
        found.observation,
        found.action,
        None if found.updated is None else found.updated[:10],
    )
