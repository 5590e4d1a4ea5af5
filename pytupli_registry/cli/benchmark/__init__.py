"""``pytupli benchmark``: commands that are imported when they are used."""

from __future__ import annotations

from pytupli_registry.cli.lazy import LazyGroup

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

command = LazyGroup(
    "benchmark",
    help="Share environments as data: make, check, build and score benchmarks.",
    modules={name: f"{__name__}.{module}" for name, module in COMMANDS.items()},
)
