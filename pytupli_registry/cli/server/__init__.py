"""The ``pytupli-server`` command: the only part of the client's side that knows the server."""

from pytupli_registry.cli.server.group import main

__all__ = ["main"]
