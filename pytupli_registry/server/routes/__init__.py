"""The HTTP routes: they read requests, call services and write answers."""

from __future__ import annotations

from pytupli_registry.server.routes import commits, operations, refs, repositories, resolve, trees

__all__ = ["ROUTERS"]

ROUTERS = (
    operations.router,
    repositories.router,
    refs.router,
    trees.router,
    commits.router,
    # Last: its paths begin with the name of an account, and would catch others.
    resolve.router,
)
