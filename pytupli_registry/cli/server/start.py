"""``pytupli-server start DIR``: serve a Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytupli_registry.cli.output import Output, json_option
from pytupli_registry.cli.server.options import directory_argument, opened

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("start")
@directory_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@json_option
@click.pass_obj
def command(output: Output, directory: Path, host: str, port: int) -> None:
    """Serve a Hub until SIGINT or SIGTERM.

    Requests that are running may finish; a second SIGINT ends it at once.
    """
    from pytupli_registry.server.observability.logs import configure_logs  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.server.services.maintenance.locks import running  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.server.serving import listen, serve, url_of  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.server.settings import Settings  # noqa: PLC0415 - lazy, for a fast `--help`

    settings = Settings.load(directory)
    configure_logs(settings)
    with opened(directory, settings) as hub, running(settings.directory):
        hub.objects.check()
        listener = listen(host, port)
        serve(hub, listener, lambda: _announce(output, url_of(listener), settings.public_url))


def _announce(output: Output, url: str, public_url: str | None) -> None:
    shown = public_url or url
    if output.document({"url": url, "public_url": shown}):
        return
    output.line(f"The Hub listens on {url}; clients of this machine need:")
    output.line(f"  export HF_ENDPOINT={shown}")
    output.line("  export MINARI_REMOTE=hf://NAMESPACE   # a user or an organization")
