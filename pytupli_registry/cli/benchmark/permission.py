"""What building a benchmark would run, and the command line that permits it."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pytupli_registry.cli.output import Output
from pytupli_registry.errors import ConsentRequired, PytupliError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytupli_registry.benchmarks.benchmark import Benchmark
    from pytupli_registry.benchmarks.specification import BenchmarkSpecification
    from pytupli_registry.environments.plan import BuildPlan

__all__ = ["explained", "missing_requirements", "options_needed", "planned"]


@contextmanager
def explained(ctx: click.Context, benchmark: Benchmark, *, shown: bool = False) -> Iterator[None]:
    """Let a command that builds end with what would have run, and the very line that permits it, where it may not.

    Args:
        ctx: of the command, which has the options ``--allow`` and ``--consent``.
        benchmark: what is built.
        shown: whether the command has said already what would run.
    """
    try:
        yield
    except ConsentRequired as error:
        output = ctx.ensure_object(Output)
        for run in () if shown else error.runs:
            output.note(f"Would run: {run}")
        params = ctx.params
        wanted = options_needed(benchmark, error.hashes, params["allow"], params["consent"])
        if not wanted:
            raise
        hint = f"If you trust where it comes from: `{_command_line(ctx, wanted)}`"
        raise ConsentRequired(error.message, hashes=error.hashes, runs=error.runs, hint=hint) from error


def options_needed(
    benchmark: Benchmark, hashes: Iterable[str], allow: Sequence[str] = (), consent: Sequence[str] = ()
) -> list[str]:
    """Return the options that permit what is refused: consent by hash, and modules only where no hash will do."""
    agreed = (*consent, *hashes)
    wanted = [word for digest in hashes for word in ("--consent", digest)]
    if benchmark.specification.data_only:
        return wanted
    refused = len(benchmark.plan(allow=allow, consent=agreed).refusals)
    for module in _modules(benchmark.specification) if refused else ():
        if len(benchmark.plan(allow=(*allow, module), consent=agreed).refusals) < refused:
            wanted += ["--allow", module]
    return wanted


def missing_requirements(specification: BenchmarkSpecification) -> PytupliError | None:
    """Return what :meth:`Benchmark.make` would say of the requirements, or None if they are met."""
    from pytupli_registry.environments.requirements import check_requirements  # noqa: PLC0415 - lazy

    try:
        check_requirements((entry.requirement, entry.recorded) for entry in specification.requirements)
    except PytupliError as error:
        return error
    return None


def planned(plan: BuildPlan) -> dict[str, Any]:
    """Return a plan as JSON can hold it."""
    return {
        "runs": [
            {"entry_point": run.entry_point, "shown": run.shown, "permitted_by": run.permitted_by}
            for run in plan.runs
        ],
        "refusals": [
            {
                "reason": refusal.sentence,
                "hint": refusal.hint,
                "hashes": refusal.hashes,
                "runs": refusal.shown,
            }
            for refusal in plan.refusals
        ],
        "hashes": plan.hashes,
    }


def _modules(specification: BenchmarkSpecification) -> list[str]:
    environment = specification.environment
    points = (environment.entry_point, *(wrapper.entry_point for wrapper in environment.wrappers))
    return list(dict.fromkeys(point.partition(":")[0].partition(".")[0] for point in points if point))


def _command_line(ctx: click.Context, added: Sequence[str]) -> str:
    """Return the command as it was given, with more options."""
    words = ctx.command_path.split()
    for parameter in ctx.command.params:
        name = parameter.name or ""
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not given or name not in ctx.params:
            continue
        value = ctx.params[name]
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(parameter, click.Option):
                words.append(parameter.opts[-1])
            if not isinstance(one, bool):
                words.append(str(one))
    return shlex.join([*words, *added])
