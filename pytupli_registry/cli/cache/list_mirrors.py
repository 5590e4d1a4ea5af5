"""``pytupli cache list``."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.storage.mirrors import MirrorFacts

__all__ = ["command", "shown"]


@click.command("list")
@json_option
@click.pass_obj
def command(output: Output) -> None:
    """List what is here of data files on Hubs, those used last first.

    Whole files lie in the cache of huggingface_hub, and count there (`hf cache list`).
    """
    from pytupli_registry.storage.mirrors import Mirrors  # noqa: PLC0415 - lazy, for a fast `--help`

    mirrors = Mirrors.from_environment().list()
    if output.document([shown(facts) for facts in mirrors]):
        return
    output.table(
        ("sha256", "from", "bytes here", "of", "last used"),
        [
            (
                facts.sha256[:12],
                _place(facts),
                "whole" if facts.whole else facts.held,
                facts.size,
                _time(facts.used_at)[:16],
            )
            for facts in mirrors
        ],
    )


def shown(facts: MirrorFacts) -> dict[str, object]:
    """Return the facts of a mirror for JSON."""
    return {**dataclasses.asdict(facts), "used_at": _time(facts.used_at)}


def _place(facts: MirrorFacts) -> str:
    return f"{facts.origin.get('repo', '?')}/{facts.origin.get('path', '?')}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
