"""``pytupli benchmark``: commands that are imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

from pytupli_registry.errors import did_you_mean

__all__ = ["COMMANDS", "command"]

# Each command is the object `command` of its module.
COMMANDS = {
    "delete": "delete",
    "diff": "diff",
    "evaluate": "evaluate",
    "init": "init",
    "list": "list_benchmarks",
    "make": "make",
    "schema": "schema",
    "show": "show",
    "validate": "validate",
    "verify": "verify",
}


class _Benchmark(click.Group):
    """The commands of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        return cast("click.Command", import_module(f"{__name__}.{COMMANDS[cmd_name]}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"There is no command {args[0]!r}. {did_you_mean(args[0], COMMANDS) or ''}".rstrip())
        return super().resolve_command(ctx, args)


command = _Benchmark("benchmark", help="Share environments as data: make, check, build and score benchmarks.")
