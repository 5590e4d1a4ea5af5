"""The command line: one thin command a file; its entry point is :data:`main`."""

from pytupli_registry.cli.group import main

__all__ = ["main"]
