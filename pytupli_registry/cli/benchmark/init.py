"""``pytupli benchmark init``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytupli_registry.cli.benchmark.facts import show_benchmark
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import BenchmarkExists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytupli_registry.benchmarks.benchmark import Benchmark

__all__ = ["command"]

_OWN = frozenset({"id", "max_episode_steps", "vector_entry_point", "disable_env_checker"})
_TEXTS = ("title", "description", "difficulty", "licence", "source", "citation")
_PATH = click.Path(exists=True, path_type=Path)


def _texts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command an option for each text that ``benchmark.json`` keeps."""
    for name in reversed(_TEXTS):
        function = click.option(f"--{name}", help="Kept with the benchmark.")(function)
    for name in ("tag", "author"):
        function = click.option(
            f"--{name}", f"{name}s", multiple=True, help="Kept with the benchmark. Can be repeated."
        )(function)
    return function


@click.command("init")
@click.argument("environment_id", metavar="ENVIRONMENT_ID")
@click.option("--name", required=True, help="Of the benchmark; its datasets are NAME/….")
@click.option(
    "--output",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; the local store otherwise.",
)
@click.option(
    "--argument", "arguments", metavar="KEY=JSON", multiple=True, help="An argument of the environment."
)
@click.option("--file", "files", metavar="KEY=PATH", multiple=True, help="An argument that is a file.")
@click.option(
    "--max-episode-steps", type=click.IntRange(min=1), help="A time limit other than the registered one."
)
@_texts
@click.option("--metadata", metavar="JSON", help="Anything else, as a JSON object.")
@click.option(
    "--requirement", "requirements", multiple=True, help="More than what is found by itself, as pip takes it."
)
@click.option("--private", is_flag=True, help="Share the interface only: no id, no entry point, no argument.")
@click.option("--share", metavar="KEY", multiple=True, help="An argument to share even so, as an artifact.")
@click.option("--code", type=_PATH, multiple=True, help="A .py file or a package to ship with it.")
@click.option(
    "--rollouts", type=click.IntRange(0, 100), default=3, show_default=True, help="How many to record."
)
@click.option("--replace", is_flag=True, help="Replace a benchmark that is there.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    environment_id: str,
    directory: Path | None,
    arguments: tuple[str, ...],
    files: tuple[str, ...],
    max_episode_steps: int | None,
    replace: bool,
    **facts: Any,  # noqa: ANN401 - the options that Benchmark.from_env takes under the same names
) -> None:
    """Make a benchmark of an environment: the arguments it is built with become data and artifacts.

    ENVIRONMENT_ID is what gymnasium.make takes; `module:Name-v0` imports the module first. You name it, so it is built.
    """
    from pytupli_registry.benchmarks.benchmark import Benchmark  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.benchmarks.home import local_directory  # noqa: PLC0415
    from pytupli_registry.environments.stored import build_environment  # noqa: PLC0415

    if facts["share"] and not facts["private"]:
        raise click.UsageError("--share goes with --private.")
    kwargs = _arguments(arguments, files)
    if facts["metadata"] is not None:
        facts["metadata"] = _object(facts["metadata"])
    home = local_directory(facts["name"])
    target = home if directory is None else directory
    if (target / "benchmark.json").exists() and not replace:
        raise BenchmarkExists(str(target))
    with build_environment(environment_id, max_episode_steps=max_episode_steps, kwargs=kwargs) as env:
        made = Benchmark.from_env(
            env, **{key: value for key, value in facts.items() if value not in (None, "", ())}
        )
        saved = Benchmark.load(made.save(target, replace=replace))
    _show(ctx.ensure_object(Output), saved, saved.name if directory is None else str(saved.directory))


def _arguments(arguments: Iterable[str], files: Iterable[str]) -> dict[str, Any]:
    """Return the environment's arguments, each given once."""
    kwargs: dict[str, Any] = {}
    for option, given in (("--argument", arguments), ("--file", files)):
        for text in given:
            key, equals, value = text.partition("=")
            if not key.isidentifier() or not equals:
                raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE", param_hint=option)
            if key in kwargs or key in _OWN:
                problem = (
                    "is given twice" if key in kwargs else "is Gymnasium's own and none of the environment's"
                )
                raise click.BadParameter(f"{key!r} {problem}", param_hint=option)
            kwargs[key] = _value(key, value) if option == "--argument" else _file(value)
    return kwargs


def _value(key: str, text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(
            f"{text!r} is no JSON; a text stands in quotes: '{key}=\"…\"'", param_hint="--argument"
        ) from error


def _file(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.exists():
        raise click.BadParameter(f"there is no file {text!r}", param_hint="--file")
    return path


def _object(text: str) -> dict[str, Any]:
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{text!r:.200} is no JSON", param_hint="--metadata") from error
    if not isinstance(loaded, dict):
        raise click.BadParameter(f"{text!r:.200} is no JSON object", param_hint="--metadata")
    return loaded


def _show(output: Output, saved: Benchmark, reference: str) -> None:
    document = {
        "benchmark": saved.name,
        "identity": saved.identity,
        "directory": saved.directory,
        "specification": saved.specification.model_dump(mode="json"),
    }
    if output.document(document):
        return
    show_benchmark(output, saved)
    output.line("")
    output.line(f"Wrote {saved.directory}.")
    if saved.specification.data_only:
        output.line("It says what goes in and out of the environment, and nothing of how it is made.")
    output.line(f"Check it: {shlex.join(['pytupli', 'benchmark', 'validate', reference])}")
