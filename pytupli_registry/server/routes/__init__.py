"""The HTTP routes: they read requests, call services and write answers."""

from __future__ import annotations

from pytupli_registry.server.routes import (
    access_requests,
    accounts,
    cards,
    commits,
    datasets,
    discussions,
    git,
    identity,
    lfs,
    likes,
    oauth,
    operations,
    organizations,
    refs,
    repositories,
    resolve,
    tokens,
    trees,
    webhooks,
    xet,
)

__all__ = ["ROUTERS"]

ROUTERS = (
    operations.router,
    identity.router,
    oauth.router,
    accounts.router,
    tokens.router,
    organizations.router,
    cards.router,
    datasets.router,
    webhooks.router,  # before those that would take "settings" for the name of a family
    repositories.router,
    refs.router,
    trees.router,
    commits.router,
    discussions.router,
    likes.router,
    access_requests.router,
    git.router,
    xet.router,
    lfs.router,
    # Last: its paths begin with the name of an account, and would catch others.
    resolve.router,
)
