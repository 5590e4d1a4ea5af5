"""``pytupli cache prune``."""

from __future__ import annotations

import re

import click

from pytupli_registry.cli.cache.list_mirrors import shown
from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.config import parse_size

__all__ = ["command"]

_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@click.command("prune")
@click.option(
    "--to", metavar="SIZE", help="Keep at most so much, as in 20GB: what was used longest ago goes."
)
@click.option("--older-than", metavar="AGE", help="Delete what was not used for so long, as in 30d or 12h.")
@json_option
@click.pass_obj
def command(output: Output, to: str | None, older_than: str | None) -> None:
    """Delete what came from Hubs and can come again; what is in use stays.

    Without an option, down to the size that PYTUPLI_CACHE_SIZE names.
    """
    from pytupli_registry.config import ClientConfig  # noqa: PLC0415
    from pytupli_registry.storage.mirrors import Mirrors  # noqa: PLC0415

    size = ClientConfig.from_environment().cache_size if to is None else _size(to)
    age = None if older_than is None else _age(older_than)
    if size is None and age is None:
        raise click.UsageError("Give --to or --older-than, or set PYTUPLI_CACHE_SIZE.")
    deleted = Mirrors.from_environment().prune(
        to=size if to is not None or age is None else None, unused_for=age
    )
    if not output.document([shown(facts) for facts in deleted]):
        output.line(
            f"Deleted {len(deleted)} files, {sum(facts.held for facts in deleted):,} bytes on the disk."
        )


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no age such as 30d or 12h", param_hint="--older-than")
    return int(found[1]) * _SECONDS[found[2]]
