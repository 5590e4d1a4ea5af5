"""Making a Hub: all of it, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import is_empty, migrating, upgrade
from pytupli_registry.server.objects import open_store
from pytupli_registry.server.services.accounts import create_user
from pytupli_registry.server.services.maintenance.configuration import configuration_text
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.vacancy import unfinished_hub, write_private
from pytupli_registry.server.services.passwords import check_password
from pytupli_registry.server.services.tokens import create_token
from pytupli_registry.server.settings import CONFIG_NAME, SECRET_NAME, Settings
from pytupli_registry.server.wire.names import check_account_name

__all__ = ["FirstAdmin", "create_hub"]

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
    with unfinished_hub(directory) as unfinished:
        write_private(unfinished / CONFIG_NAME, configuration_text(chosen))
        write_private(unfinished / SECRET_NAME, secrets.token_urlsafe(48) + "\n")
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
