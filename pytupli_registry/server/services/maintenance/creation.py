"""Making a Hub: all of it, or nothing."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import is_empty, migrating, upgrade
from pytupli_registry.server.objects import open_store
from pytupli_registry.server.services.accounts import create_user
from pytupli_registry.server.services.maintenance.configuration import configuration_text
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.passwords import check_password
from pytupli_registry.server.services.tokens import create_token
from pytupli_registry.server.settings import CONFIG_NAME, SECRET_NAME, Settings
from pytupli_registry.server.wire.names import check_account_name

__all__ = ["FirstAdmin", "create_hub"]

UNFINISHED = ".init-"
FIRST_TOKEN = "first"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """Who administers a new Hub.

    Attributes:
        name: the user's name.
        password: the user's password.
        wants_token: make a write token too.
    """

    name: str
    password: str = field(repr=False)
    wants_token: bool = False


def create_hub(directory: Path, admin: FirstAdmin, chosen: Mapping[str, object]) -> str | None:
    """Make a Hub in ``directory`` and return its first token, if one is wanted.

    Args:
        directory: where; missing or empty.
        admin: its first user.
        chosen: settings that differ from their defaults.

    Raises:
        BadRequest: a name or a password that breaks the rules.
        MaintenanceError: there is something already, in the directory or in the database.
        SettingsError: a setting that is not possible.
        Unavailable: database or object store do not answer.
    """
    check_account_name(admin.name)
    check_password(admin.password)
    with _unfinished(directory) as unfinished:
        _write_private(unfinished / CONFIG_NAME, configuration_text(chosen))
        _write_private(unfinished / SECRET_NAME, secrets.token_urlsafe(48) + "\n")
        settings = Settings.load(unfinished)
        open_store(settings.objects_url, settings.objects_options, fsync=settings.fsync).check()
        return _fill(Database(settings.database_url, connections=1), admin)


def _fill(database: Database, admin: FirstAdmin) -> str | None:
    try:
        with migrating(database) as connection:
            if not is_empty(connection):
                raise MaintenanceError(
                    f"The database {database.url.render_as_string()} holds tables already. Name an empty one, "
                    "or use `pytupli-server restore` for a Hub that exists."
                )
            upgrade(connection)
            with Session(connection) as session:
                user = create_user(session, admin.name, password=admin.password, is_admin=True)
                token = create_token(session, user.id, FIRST_TOKEN) if admin.wants_token else None
                session.flush()
            if database.is_sqlite and database.url.database:
                Path(database.url.database).chmod(0o600)
            return token
    finally:
        database.dispose()


@contextmanager
def _unfinished(directory: Path) -> Iterator[Path]:
    """Yield a directory inside ``directory`` whose content moves up at the end; an exception leaves no trace."""
    existed = directory.exists()
    _check_vacant(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = directory / f"{UNFINISHED}{secrets.token_hex(6)}"
    moved: list[Path] = []
    try:
        unfinished.mkdir(mode=0o700)
        yield unfinished
        # Without its configuration a directory is no Hub, so that comes last.
        entries = sorted(unfinished.iterdir(), key=lambda entry: entry.name == CONFIG_NAME)
        moved.extend(entry.rename(directory / entry.name) for entry in entries)
        unfinished.rmdir()
    except BaseException:
        for path in [unfinished, *moved] if existed else [directory]:
            _remove(path)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check_vacant(directory: Path) -> None:
    if (directory / CONFIG_NAME).exists():
        raise MaintenanceError(
            f"There is a Hub in {directory} already: `pytupli-server start {directory}` starts it."
        )
    if directory.exists() and not directory.is_dir():
        raise MaintenanceError(f"{directory} is a file. Name a directory that is missing or empty.")
    found = [entry.name for entry in directory.iterdir()] if directory.exists() else []
    strange = sorted(name for name in found if name != "lost+found" and not name.startswith(UNFINISHED))
    if strange:
        raise MaintenanceError(
            f"{directory} is not empty: it holds {strange[0]!r}. Name a directory that is missing or empty."
        )


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
