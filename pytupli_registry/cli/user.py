"""``pytupli user``: users of the Hub, for its administrators, and one's own password."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.passwords import ask_password, password_stdin_option

if TYPE_CHECKING:
    from pytupli_registry.hub import Administration, User

__all__ = ["command"]


@click.group("user")
def command() -> None:
    """Look after the users of the Hub that HF_ENDPOINT names; most of it is for its administrators."""


@command.command("create")
@click.argument("name")
@click.option("--email", default=None)
@click.option("--full-name", default="", help="For people.")
@click.option("--admin", is_flag=True, help="Make an administrator of the whole Hub.")
@click.option("--no-password", is_flag=True, help="Nobody can log in as this user until a password is set.")
@password_stdin_option
@json_option
@click.pass_obj
def create(
    output: Output,
    name: str,
    email: str | None,
    full_name: str,
    admin: bool,
    no_password: bool,
    password_stdin: bool,
) -> None:
    """Create a user."""
    password = None
    if not no_password:
        password = ask_password(f"Password of {name}", from_stdin=password_stdin, twice=True)
    made = _hub().create_user(name, password=password, email=email, full_name=full_name, is_admin=admin)
    _tell(output, made, f"Created the user {made.name}.")


@command.command("list")
@json_option
@click.pass_obj
def list_users(output: Output) -> None:
    """List all users."""
    found = _hub().users()
    if not output.document([dataclasses.asdict(user) for user in found]):
        output.table(
            ("user", "e-mail", "since", "admin", "disabled", "name"),
            [
                (u.name, u.email, u.created_at.date().isoformat(), u.is_admin, u.is_disabled, u.full_name)
                for u in found
            ],
        )


@command.command("disable")
@click.argument("name")
@json_option
@click.pass_obj
def disable(output: Output, name: str) -> None:
    """Lock a user out at once; what they own stays."""
    _tell(output, _hub().change_user(name, disabled=True), f"Disabled {name}: no token or session works.")


@command.command("enable")
@click.argument("name")
@json_option
@click.pass_obj
def enable(output: Output, name: str) -> None:
    """Let a disabled user in again."""
    _tell(
        output, _hub().change_user(name, disabled=False), f"Enabled {name}; their access tokens work again."
    )


@command.command("admin")
@click.argument("name")
@click.option("--revoke", is_flag=True, help="Take the right away.")
@json_option
@click.pass_obj
def admin(output: Output, name: str, revoke: bool) -> None:
    """Make a user an administrator of the whole Hub."""
    changed = _hub().change_user(name, is_admin=not revoke)
    _tell(output, changed, f"{name} is {'no' if revoke else 'an'} administrator of the Hub.")


@command.command("password")
@click.argument("name", required=False)
@click.option("--revoke-tokens", is_flag=True, help="End the access tokens, too.")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read from standard input instead of asking; for your own: the current one, then the new one.",
)
@json_option
@click.pass_obj
def password(output: Output, name: str | None, revoke_tokens: bool, password_stdin: bool) -> None:
    """Change your own password, or set that of the user NAME."""
    hub = _hub()
    current = ask_password("Current password", from_stdin=password_stdin) if name is None else None
    new = ask_password("New password", from_stdin=password_stdin, twice=True)
    said = hub.set_password(name or hub.name(), new, current=current, revoke_tokens=revoke_tokens)
    if not output.document({"user": name, "message": said}):
        output.line(said)


def _tell(output: Output, user: User, sentence: str) -> None:
    if not output.document(dataclasses.asdict(user)):
        output.line(sentence)


def _hub() -> Administration:
    from pytupli_registry.hub import Administration  # noqa: PLC0415 - lazy, for a fast `--help`

    return Administration()
