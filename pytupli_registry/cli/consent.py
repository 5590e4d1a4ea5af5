"""``pytupli consent``: the code and the files that may run on this machine, by their hash."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from pytupli_registry.environments.consents import ConsentStore

__all__ = ["command"]

_FEWEST = 12


@click.group("consent")
def command() -> None:
    """List and withdraw the consents remembered on this machine.

    `pytupli benchmark make NAME --consent SHA256 --remember` gives one.
    """


@command.command("list")
@json_option
@click.pass_obj
def list_consents(output: Output) -> None:
    """List what may run, and since when."""
    consents = _store().list()
    if output.document([dataclasses.asdict(consent) for consent in consents]):
        return
    if not consents:
        output.line("No consent is remembered on this machine.")
        return
    output.table(
        ("SHA-256", "since", "what"), [(consent.sha256, consent.at, consent.what) for consent in consents]
    )


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del ctx, parameter
    try:
        known = [consent.sha256 for consent in _store().list()]
    except (PytupliError, OSError):  # a shell that waits for completions can do nothing with an error
        return []
    return [CompletionItem(sha256) for sha256 in known if sha256.startswith(incomplete)]


@command.command("forget")
@click.argument("sha256", shell_complete=_complete)
@json_option
@click.pass_obj
def forget(output: Output, sha256: str) -> None:
    """Withdraw a consent, given by its hash or by the first 12 digits of it, or more."""
    store = _store()
    wanted = sha256.lower()
    found = [consent.sha256 for consent in store.list() if consent.sha256.startswith(wanted)]
    if len(wanted) < _FEWEST or len(found) != 1:
        raise PytupliError(
            f"No single consent is remembered for {sha256!r:.80}.",
            hint="`pytupli consent list` shows them; give 12 digits or more.",
        )
    store.forget(found[0])
    if not output.document({"forgotten": found[0]}):
        output.line(f"Forgot the consent to {found[0]}.")


def _store() -> ConsentStore:
    from pytupli_registry.config import ClientConfig  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.environments.consents import ConsentStore  # noqa: PLC0415

    return ConsentStore(ClientConfig.from_environment().config_path)
