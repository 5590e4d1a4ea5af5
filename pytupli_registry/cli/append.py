"""``pytupli append``."""

from __future__ import annotations

import click

from pytupli_registry.cli.options import complete_reference, filter_options
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.publishing_options import shows_bars, tell, writing_options

__all__ = ["command"]


@click.command("append")
@click.argument("reference")
@click.argument("what", shell_complete=complete_reference)
@filter_options
@click.option("--as", "as_", metavar="NAME-vN", help="Publish the longer dataset under a new name instead.")
@click.option("--again", is_flag=True, help="Add it even if it was added before.")
@click.option("--any-environment", is_flag=True, help="Even if it was recorded in another environment.")
@writing_options
@json_option
@click.pass_obj
def command(
    output: Output,
    reference: str,
    what: str,
    episodes: str | None,
    steps: str | None,
    as_: str | None,
    again: bool,
    any_environment: bool,
    message: str | None,
    dry_run: bool,
) -> None:
    """Add the episodes of a dataset to one that is published; only new bytes travel.

    REFERENCE is the published dataset (acme/hvac/summer-v0), WHAT the local or remote one whose episodes are added.
    Any number of people may do this at the same time.
    """
    from pytupli_registry.hub.snapshots import Hub  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.publishing.appending import append_remote  # noqa: PLC0415
    from pytupli_registry.publishing.opening import opened  # noqa: PLC0415

    hub = Hub()
    source = opened(what, hub)
    if episodes is not None or steps is not None:
        source = source.where(episodes, steps)
    made = append_remote(
        reference,
        source,
        as_=as_,
        message=message,
        again=again,
        any_environment=any_environment,
        dry_run=dry_run,
        bars=shows_bars(output),
        hub=hub,
    )
    tell(output, made)
