"""``pytupli validate``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.options import complete_reference
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from pytupli_registry.validation import Report

__all__ = ["command"]


@click.command("validate")
@click.argument("reference", required=False, shell_complete=complete_reference)
@click.option("--all", "every", is_flag=True, help="Check every local dataset.")
@click.option("--no-adapters", is_flag=True, help="Do not compare with what d3rlpy and Minari get.")
@json_option
@click.pass_context
def command(ctx: click.Context, reference: str | None, every: bool, no_adapters: bool) -> None:
    """Check a dataset, given by reference or directory: files, values, and what others read from it.

    Every transition is derived from the HDF5 again and compared. The exit code is 1 where there is an error.
    """
    from pytupli_registry import api  # noqa: PLC0415 - lazy, for a fast `--help`

    output = ctx.ensure_object(Output)
    if every == (reference is not None):
        raise click.UsageError("Give one reference or directory, or --all.")
    totals = {
        stored.dataset_id: stored.metadata.total_episodes if stored.metadata else None
        for stored in api.list_datasets()
    }
    references = list(totals) if reference is None else [reference]
    reports: dict[str, Report] = {}
    for name in references:
        with output.progress(f"Checking {name}", totals.get(name)) as advance:
            place = Path(name) if Path(name).is_dir() else name
            try:
                reports[name] = api.validate(place, adapters=not no_adapters, advance=advance)
            except FormatError as error:
                if not every:
                    raise
                reports[name] = _unreadable(error)
    documents = [
        {"reference": name, "ok": report.ok, **dataclasses.asdict(report)} for name, report in reports.items()
    ]
    if not output.document(documents[0] if reference is not None else documents):
        for name, report in reports.items():
            _show(output, name, report)
    if not all(report.ok for report in reports.values()):
        ctx.exit(1)


def _unreadable(error: FormatError) -> Report:
    """Return the report about a dataset that cannot be opened: the others are still to be checked."""
    from pytupli_registry.validation.report import Problem, Report  # noqa: PLC0415 - lazy, for a fast `--help`

    problem = Problem("error", error.where or "", f"It cannot be opened: {error.problem}.")
    return Report(str(error.path), (problem,), 0, 0)


def _show(output: Output, name: str, report: Report) -> None:
    errors = sum(problem.level == "error" for problem in report.problems)
    checked = " and ".join(("h5py", *report.adapters_checked))
    output.line(
        f"{name}: {'ok' if report.ok else 'not ok'}; errors: {errors}, warnings: {len(report.problems) - errors}; "
        f"{report.episodes_checked:,} episodes, {report.transitions_checked:,} transitions compared with {checked}."
    )
    if report.problems:
        output.table(
            ("level", "where", "what", "places"),
            [(problem.level, problem.where, problem.message, problem.count) for problem in report.problems],
        )
    for skipped in report.skipped:
        output.line(f"Not compared: {skipped}")
