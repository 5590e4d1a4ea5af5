"""The few web pages: logging in, consenting to a device's login, one's tokens and password, asking for access."""

from __future__ import annotations

from pytupli_registry.server.web import access, consent, home, login, password, static, tokens

__all__ = ["PAGES"]

PAGES = (
    home.router,
    static.router,
    login.router,
    consent.router,
    tokens.router,
    password.router,
    access.router,
)
