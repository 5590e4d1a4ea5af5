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
    history,
    identity,
    lfs,
    likes,
    oauth,
    operations,
    organizations,
    out_of_scope,
    refs,
    repositories,
    resolve,
    storage_shares,
    tags,
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
    out_of_scope.router,
    tags.router,
    storage_shares.router,
    webhooks.router,  # before those that would take "settings" for the name of a family
    likes.router,  # its /api/users/{user}/likes, too
    repositories.router,
    repositories.often_asked,
    refs.router,
    trees.router,
    trees.often_asked,
    commits.router,
    history.router,
    discussions.router,
    access_requests.router,
    git.router,
    xet.router,
    lfs.router,
    # Last: its paths begin with the name of an account, and would catch others.
    resolve.router,
)
