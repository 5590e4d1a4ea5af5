"""``pytupli tag`` and ``pytupli branch``: names for commits of a repository."""

from __future__ import annotations

from typing import Literal

import click

from pytupli_registry.cli.output import Output, json_option

__all__ = ["naming_command"]

_HELP = {
    "tag": "Give a commit a name that does not move: pytupli tag acme/hvac v1.",
    "branch": "Begin a branch, to which one can publish apart: pytupli branch acme/hvac@v1 fixes.",
}


def naming_command(kind: Literal["tag", "branch"]) -> click.Command:
    """Return the command that creates or deletes tags, or branches."""

    @click.command(kind, help=_HELP[kind])
    @click.argument("reference", metavar="REPO[@REVISION]")
    @click.argument("name")
    @click.option("--delete", is_flag=True, help=f"Delete the {kind} instead.")
    @json_option
    @click.pass_obj
    def command(output: Output, reference: str, name: str, delete: bool) -> None:
        from pytupli_registry.hub import revisions  # noqa: PLC0415 - lazy, for a fast `--help`
        from pytupli_registry.hub.snapshots import Hub  # noqa: PLC0415
        from pytupli_registry.references import Reference  # noqa: PLC0415

        asked = Reference.parse_repository(reference)
        if delete:
            revisions.delete(Hub(), asked.repo, kind, name)
            said: dict[str, object] = {"repo": asked.repo, "deleted": name}
        else:
            commit = revisions.create(Hub(), asked.repo, kind, name, at=asked.revision)
            said = {"repo": asked.repo, kind: name, "commit": commit}
        if not output.document(said):
            output.line(
                f"Deleted the {kind} {name} of {asked.repo}."
                if delete
                else f"The {kind} {name} of {asked.repo} is at {said['commit']}."
            )

    return command
