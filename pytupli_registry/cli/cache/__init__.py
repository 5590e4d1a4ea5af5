"""``pytupli cache``: commands that are imported when they are used."""

from __future__ import annotations

from pytupli_registry.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

# Each command is the object `command` of its module.
COMMANDS = {"list": "list_mirrors", "path": "path", "prune": "prune", "verify": "verify"}

command = LazyGroup(
    "cache",
    help="Look after what came from Hubs: list it, check it, make room.",
    modules={name: f"{__name__}.{module}" for name, module in COMMANDS.items()},
)
