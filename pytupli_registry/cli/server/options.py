"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["directory_argument"]

directory_argument = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
