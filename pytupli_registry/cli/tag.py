"""``pytupli tag``."""

from __future__ import annotations

from pytupli_registry.cli.naming import naming_command

__all__ = ["command"]

command = naming_command("tag")
