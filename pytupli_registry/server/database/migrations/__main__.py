"""Write a migration from what the newest one leaves to what ``schema`` says now (for developers)."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.script import Script, ScriptDirectory

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import configuration, migrating, upgrade


def _write(message: str) -> None:
    with TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'empty.sqlite3'}")
        with migrating(database) as connection:
            number = len(list(ScriptDirectory.from_config(configuration()).walk_revisions())) + 1
            if number > 1:
                upgrade(connection)
            config = configuration(connection)
            written = command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
        database.dispose()
    assert isinstance(written, Script)  # noqa: S101 - one was asked for
    path = Path(written.path)
    path.rename(path.with_name(f"v{path.name}"))  # a module's name does not begin with a digit


if __name__ == "__main__":
    _write(" ".join(sys.argv[1:]) or "change")
