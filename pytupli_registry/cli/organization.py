"""``pytupli org``: organizations of the Hub, and who belongs to them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

import click

from pytupli_registry.cli.output import Output, json_option

if TYPE_CHECKING:
    from pytupli_registry.hub import Administration
    from pytupli_registry.hub.administration import Role, Visibility

__all__ = ["command"]

ROLES = ("read", "contributor", "write", "admin")

role_option = click.option(
    "--role",
    type=click.Choice(ROLES),
    default="read",
    show_default=True,
    help="read, contributor (creates repositories and writes to those), write, or admin.",
)
visibility = click.Choice(("public", "private"))


@click.group("org")
def command() -> None:
    """Look after organizations of the Hub that HF_ENDPOINT names."""


@command.command("create")
@click.argument("name")
@click.option("--full-name", default="", help="For people.")
@click.option(
    "--visibility", type=visibility, default="private", show_default=True, help="Of new repositories."
)
@click.option("--public-members", is_flag=True, help="Let everybody see the organization and its members.")
@json_option
@click.pass_obj
def create(output: Output, name: str, full_name: str, visibility: str, public_members: bool) -> None:
    """Create an organization; you are its first admin."""
    made = _hub().create_organization(
        name,
        full_name=full_name,
        default_visibility=cast("Visibility", visibility),
        members_public=public_members,
    )
    if not output.document(dataclasses.asdict(made)):
        output.line(f"Created the organization {made.name}; new repositories are {made.default_visibility}.")


@command.command("settings")
@click.argument("name")
@click.option("--full-name", default=None, help="For people.")
@click.option("--visibility", type=visibility, default=None, help="Of new repositories.")
@click.option(
    "--public-members/--private-members",
    default=None,
    help="Who may see the organization and its members: everybody, or members only.",
)
@json_option
@click.pass_obj
def settings(
    output: Output, name: str, full_name: str | None, visibility: str | None, public_members: bool | None
) -> None:
    """Show an organization's settings, or change them."""
    hub = _hub()
    if (full_name, visibility, public_members) == (None, None, None):
        shown = hub.organization(name)
    else:
        shown = hub.change_organization(
            name,
            full_name=full_name,
            default_visibility=cast("Visibility | None", visibility),
            members_public=public_members,
        )
    facts = dataclasses.asdict(shown)
    if not output.document(facts):
        output.facts(facts)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that you do not belong to.")
@json_option
@click.pass_obj
def list_organizations(output: Output, everything: bool) -> None:
    """List your organizations."""
    found = _hub().organizations(everything=everything)
    if output.document([dataclasses.asdict(organization) for organization in found]):
        return
    if not found:
        output.line("You belong to no organization. `pytupli org create NAME` makes one.")
        return
    output.table(
        ("organization", "your role", "new repositories", "public members", "name"),
        [(o.name, o.role, o.default_visibility, o.members_public, o.full_name) for o in found],
    )


@command.command("members")
@click.argument("name")
@json_option
@click.pass_obj
def members(output: Output, name: str) -> None:
    """List the members of an organization."""
    found = _hub().members(name)
    if not output.document([dataclasses.asdict(member) for member in found]):
        output.table(
            ("user", "role", "since", "name", "disabled"),
            [(m.name, m.role, m.since.date().isoformat(), m.full_name, m.is_disabled) for m in found],
        )


@command.command("add")
@click.argument("name")
@click.argument("user")
@role_option
@json_option
@click.pass_obj
def add(output: Output, name: str, user: str, role: str) -> None:
    """Make a user a member of an organization."""
    _set_role(output, name, user, role, f"{user} belongs to {name} with the role {role}.")


@command.command("role")
@click.argument("name")
@click.argument("user")
@click.argument("role", type=click.Choice(ROLES))
@json_option
@click.pass_obj
def change_role(output: Output, name: str, user: str, role: str) -> None:
    """Give a member another role."""
    _set_role(output, name, user, role, f"{user} has the role {role} in {name}.")


@command.command("remove")
@click.argument("name")
@click.argument("user")
@json_option
@click.pass_obj
def remove(output: Output, name: str, user: str) -> None:
    """Take a member out of an organization, or leave it yourself."""
    _hub().remove_member(name, user)
    if not output.document({"organization": name, "removed": user}):
        output.line(f"{user} does not belong to {name} any more.")


@command.command("delete")
@click.argument("name")
@click.confirmation_option(prompt="Delete the organization?", help="Do not ask.")
@json_option
@click.pass_obj
def delete(output: Output, name: str) -> None:
    """Delete an organization that has no repositories."""
    _hub().delete_organization(name)
    if not output.document({"deleted": name}):
        output.line(f"Deleted the organization {name}.")


def _set_role(output: Output, name: str, user: str, role: str, done: str) -> None:
    _hub().set_role(name, user, cast("Role", role))
    if not output.document({"organization": name, "user": user, "role": role}):
        output.line(done)


def _hub() -> Administration:
    from pytupli_registry.hub import Administration  # noqa: PLC0415 - lazy, for a fast `--help`

    return Administration()
