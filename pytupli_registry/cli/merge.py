"""``pytupli merge``."""

from __future__ import annotations

import click

from pytupli_registry.cli.options import complete_reference
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.publishing_options import shows_bars, tell

__all__ = ["command"]


@click.command("merge")
@click.argument("sources", nargs=-1, required=True, shell_complete=complete_reference)
@click.option("--into", required=True, metavar="ID", help="Id of the new local dataset, hvac/all-v0.")
@click.option("--description", help="Kept with the dataset.")
@click.option("--to", metavar="ORG[/REPO]", help="Publish it there afterwards.")
@click.option("--any-environment", is_flag=True, help="Even if they were recorded in different environments.")
@json_option
@click.pass_obj
def command(
    output: Output,
    sources: tuple[str, ...],
    into: str,
    description: str | None,
    to: str | None,
    any_environment: bool,
) -> None:
    """Make one dataset out of several, local or on a Hub; seeds, options and facts of episodes are kept."""
    from pytupli_registry.publishing.merging import merge  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.publishing.publish import publish  # noqa: PLC0415

    with output.progress(f"Merging into {into}") as advance:
        dataset = merge(
            sources, into, description=description, any_environment=any_environment, advance=advance
        )
    if to is not None:
        tell(output, publish(dataset, to, bars=shows_bars(output)))
        return
    said = {"dataset_id": into, "episodes": dataset.episode_count, "steps": dataset.step_count}
    if not output.document(said):
        output.line(f"{into} has {dataset.episode_count:,} episodes of {len(sources)} datasets.")
