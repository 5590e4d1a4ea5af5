"""``pytupli catalog``: benchmarks that are made on this machine, from recipes that installed packages bring along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytupli_registry.catalog.building import Built
    from pytupli_registry.catalog.catalog import CatalogEntry
    from pytupli_registry.catalog.recipe import PolicyRecipe, Recipe

__all__ = ["command"]


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del ctx, parameter
    from pytupli_registry.catalog.catalog import list_catalog  # noqa: PLC0415 - lazy, for a fast `--help`

    return [CompletionItem(found.name) for found in list_catalog() if found.name.startswith(incomplete)]


def _several(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take names, or ``--all``."""
    function = click.option("--all", "every", is_flag=True, help="Every benchmark of the catalog.")(function)
    return click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete)(function)


def _making(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command say what is made, and how."""
    function = click.option(
        "--replace", is_flag=True, help="Make everything anew, in place of what is there."
    )(function)
    function = click.option("--without-datasets", is_flag=True, help="The benchmark alone.")(function)
    return click.option(
        "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="How many at a time."
    )(function)


@click.group("catalog")
def command() -> None:
    """List, make and measure the benchmarks of the catalog."""


@command.command("list")
@json_option
@click.pass_obj
def list_(output: Output) -> None:
    """List the benchmarks that can be made here; nothing is imported or built."""
    from pytupli_registry.benchmarks.home import local_benchmarks  # noqa: PLC0415 - lazy
    from pytupli_registry.catalog.catalog import list_catalog  # noqa: PLC0415

    here = local_benchmarks()
    rows = [_row(found, installed=found.name in here) for found in list_catalog()]
    if output.document(rows):
        return
    if not rows:
        output.line("No catalog is installed.")
        return
    headings = ("benchmark", "difficulty", "datasets", "needs", "installed", "title")
    output.table(headings, [[row[heading] for heading in headings] for row in rows])
    for row in rows:
        if row["problem"]:
            output.line(f"{row['benchmark']} cannot be read: {row['problem']}")


@command.command("show")
@click.argument("name", shell_complete=_complete)
@json_option
@click.pass_obj
def show(output: Output, name: str) -> None:
    """Show what a benchmark of the catalog is, and how its datasets are recorded."""
    from pytupli_registry.catalog.catalog import entry  # noqa: PLC0415

    found = entry(name)
    recipe = found.recipe
    if output.document({"catalog": found.catalog.name, **recipe.model_dump(mode="json")}):
        return
    output.facts(_facts(found))
    output.line("")
    output.line(" ".join(recipe.description.split()))
    output.line("")
    output.table(
        ("policy", "what it is"), [(policy, _policy(made)) for policy, made in recipe.policies.items()]
    )
    output.line("")
    output.table(
        ("dataset", "episodes", "description"),
        [(dataset, made.episodes, made.description) for dataset, made in recipe.datasets.items()],
    )
    output.line("")
    output.line(f"Make it here: pytupli catalog install {found.name}")


@command.command("build")
@_several
@click.option(
    "--output", "directory", type=click.Path(file_okay=False, path_type=Path), help="Not the local store."
)
@_making
@json_option
@click.pass_obj
def build(
    output: Output,
    names: tuple[str, ...],
    every: bool,
    directory: Path | None,
    jobs: int,
    without_datasets: bool,
    replace: bool,
) -> None:
    """Make benchmarks: record their datasets, measure their reference scores.

    The same recipe makes the same data, byte for byte, on the same versions.
    """
    _make(output, _chosen(names, every), directory, jobs, without_datasets, replace)


@command.command("install")
@_several
@_making
@json_option
@click.pass_obj
def install(
    output: Output, names: tuple[str, ...], every: bool, jobs: int, without_datasets: bool, replace: bool
) -> None:
    """Make benchmarks in the local store; what is there already stays."""
    _make(output, _chosen(names, every), None, jobs, without_datasets, replace)


@command.command("baselines")
@_several
@click.option("--card-only", is_flag=True, help="Train nothing: write the card anew from what is there.")
@json_option
@click.pass_obj
def baselines(output: Output, names: tuple[str, ...], every: bool, card_only: bool) -> None:
    """Train the baselines and write their scores into the catalog's cards.

    Installs what is missing, trains each algorithm on each dataset with several seeds, evaluates by the protocol, and
    writes `baselines.json` and the table in the card.
    """
    from pytupli_registry.catalog.baselines import run_baselines, write_card  # noqa: PLC0415
    from pytupli_registry.catalog.catalog import entry  # noqa: PLC0415
    from pytupli_registry.catalog.installing import install as install_benchmark  # noqa: PLC0415

    written = []
    for found in [entry(name) for name in _chosen(names, every)]:
        if card_only:
            install_benchmark(found.name, progress=output.progress)
            results = None
        else:
            results = run_baselines(found, progress=output.progress)
        card = write_card(found, results)
        written.append(
            {"benchmark": found.name, "card": card, "seconds": results.seconds if results else 0.0}
        )
        if not output.as_json:
            output.line(f"{found.name}: {card} ({written[-1]['seconds']:.0f} s)")
    output.document(written)


def _chosen(names: tuple[str, ...], every: bool) -> tuple[str, ...]:
    from pytupli_registry.catalog.catalog import list_catalog  # noqa: PLC0415

    if every == bool(names):
        raise click.UsageError("Give names, or --all.")
    return tuple(found.name for found in list_catalog()) if every else tuple(dict.fromkeys(names))


def _make(
    output: Output,
    names: tuple[str, ...],
    directory: Path | None,
    jobs: int,
    without_datasets: bool,
    replace: bool,
) -> None:
    from pytupli_registry.catalog.installing import build_all  # noqa: PLC0415

    told: list[dict[str, Any]] = []
    making = build_all(
        names, directory, datasets=not without_datasets, replace=replace, jobs=jobs, progress=output.progress
    )
    failed: list[PytupliError] = []
    for name, made in making:
        if isinstance(made, PytupliError):
            failed.append(made)
            told.append({"benchmark": name, "error": str(made)})
        else:
            told.append(_told(made))
        if not output.as_json:
            output.line(_sentence(name, made))
    output.document(told)
    if len(failed) == 1 and len(names) == 1:
        raise failed[0]
    if failed:
        raise PytupliError(f"{len(failed)} of {len(names)} benchmarks could not be made.")


def _row(found: CatalogEntry, *, installed: bool) -> dict[str, Any]:
    recipe = found.readable
    problem = None if found.problem is None else str(found.problem)
    return {
        "benchmark": found.name,
        "catalog": found.catalog.name,
        "difficulty": None if recipe is None else recipe.difficulty,
        "datasets": None if recipe is None else len(recipe.datasets),
        "needs": None if recipe is None else _needs(recipe),
        "installed": installed,
        "title": None if recipe is None else recipe.title,
        "problem": problem,
    }


def _needs(recipe: Recipe) -> str:
    return ", ".join(filter(None, (recipe.extra, "d3rlpy" if recipe.needs_training else None))) or "-"


def _facts(found: CatalogEntry) -> dict[str, object]:
    recipe = found.recipe
    return {
        "benchmark": found.name,
        "title": recipe.title,
        "catalog": found.catalog.name,
        "environment": recipe.environment.id,
        "difficulty": recipe.difficulty,
        "tags": ", ".join(recipe.tags),
        "evaluation": f"{recipe.evaluation.episodes} episodes from seed {recipe.evaluation.seed}",
        "needs": _needs(recipe),
        "licence": recipe.licence,
        "source": recipe.source,
        "recipe": found.directory,
    }


def _policy(recipe: PolicyRecipe) -> str:
    made = recipe.controller or (f"like {recipe.like}" if recipe.like else "")
    if recipe.train is not None:
        made = f"{recipe.train.algorithm}, trained online for {recipe.train.steps:,} steps"
    noise = f"{recipe.epsilon:.0%} random actions" if recipe.epsilon else ""
    return "; ".join(filter(None, (recipe.description, made, noise)))


def _told(made: Built) -> dict[str, Any]:
    return {
        "benchmark": made.name,
        "directory": made.directory,
        "made": made.made,
        "recorded": made.recorded,
        "present": made.present,
        "outdated": made.outdated,
        "seconds": round(made.seconds, 1),
    }


def _sentence(name: str, made: Built | PytupliError) -> str:
    if isinstance(made, PytupliError):
        return f"{name}: not made. {made}"
    parts = [] if made.made else ["nothing to do"]
    if made.recorded:
        parts.append(f"recorded {', '.join(made.recorded)}")
    elif made.made:
        parts.append("made without datasets")
    if made.present:
        parts.append(f"{', '.join(made.present)} {'were' if len(made.present) > 1 else 'was'} there already")
    if made.outdated:
        parts.append("made by another version of the recipe (--replace makes it anew)")
    return f"{name}: {'; '.join(parts)} ({made.seconds:.1f} s, {made.directory})"
