"""A group of commands that are imported when they are used, so that ``--help`` is fast."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from pytupli_registry.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """Commands by name; each is the object ``command`` of a module.

    Args:
        modules: the modules of the commands, by the name of the command.
    """

    def __init__(self, *arguments: Any, modules: Mapping[str, str], **named: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*arguments, **named)
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in self.modules:
            return None
        return cast("click.Command", import_module(self.modules[cmd_name]).command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say which command was meant where there is none of that name."""
        if args and not args[0].startswith("-") and args[0] not in self.modules:
            ctx.fail(f"There is no command {args[0]!r}. {did_you_mean(args[0], self.modules) or ''}".rstrip())
        return super().resolve_command(ctx, args)
