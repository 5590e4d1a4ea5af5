"""Passwords: typed without being shown, or read from standard input; never given as an argument."""

from __future__ import annotations

import sys

import click

__all__ = ["ask_password", "password_stdin_option"]

password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)


def ask_password(prompt: str, *, from_stdin: bool, twice: bool = False) -> str:
    """Return a password that somebody types."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))
