"""``pytupli completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands: `eval "$(pytupli completion bash)"`."""
    completion = get_completion_class(shell)
    if completion is None:
        ctx.fail(f"There is no completion for {shell}.")
    click.echo(completion(ctx.find_root().command, {}, "pytupli", "_PYTUPLI_COMPLETE").source())
