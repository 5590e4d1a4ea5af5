"""``pytupli-server init``: all of a Hub, or nothing."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from pytupli_registry.cli.server import main
from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import migrating
from pytupli_registry.server.database.schema import User
from pytupli_registry.server.services.callers import authenticate
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.passwords import verify_password
from pytupli_registry.server.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse battery"
ARGUMENTS = ("--admin", "root", "--password-stdin")


def run(*arguments: object, stdin: str = PASSWORD) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def test_it_makes_a_hub(tmp_path: Path):
    result = run("init", tmp_path / "hub", *ARGUMENTS, "--token", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    hub = Hub.open(Settings.load(tmp_path / "hub"))
    with hub.database.read() as session:
        caller = authenticate(session, said["token"])
        assert (caller.name, caller.is_admin, caller.writes) == ("root", True, True)
        assert verify_password(session.get(User, caller.user_id).password_hash, PASSWORD)
    hub.close()
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {
        "hub.toml",
        "secret",
        "hub.sqlite3",
        "objects",
    }


def test_it_asks_a_person(tmp_path: Path):
    result = run("init", tmp_path / "hub", stdin=f"root\n{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert "Token" not in result.output


def test_what_is_secret_is_for_its_owner_only(tmp_path: Path):
    run("init", tmp_path / "hub", *ARGUMENTS)
    for name in ("", "hub.toml", "secret", "hub.sqlite3"):
        assert (tmp_path / "hub" / name).stat().st_mode & 0o077 == 0
    assert len((tmp_path / "hub" / "secret").read_text().strip()) >= 43
    assert PASSWORD not in (tmp_path / "hub" / "hub.toml").read_text()


def test_two_hubs_have_two_secrets(tmp_path: Path):
    for name in ("one", "two"):
        run("init", tmp_path / name, *ARGUMENTS)
    assert (tmp_path / "one" / "secret").read_text() != (tmp_path / "two" / "secret").read_text()


def test_hub_toml_explains_every_setting_and_sets_none(tmp_path: Path):
    run("init", tmp_path / "hub", *ARGUMENTS)
    text = (tmp_path / "hub" / "hub.toml").read_text()
    assert tomllib.loads(text) == {}
    for name in Settings.model_fields.keys() - {"directory", "secret"}:
        assert f"\n#{name} = " in text
    shown = "".join(line.removeprefix("#") + "\n" for line in text.splitlines() if not line.startswith("# "))
    defaults = {name: value for name, value in tomllib.loads(shown).items() if value != ""}
    settings = Settings(directory=tmp_path, **defaults)
    assert settings == Settings(directory=tmp_path)


def test_chosen_places_stand_in_hub_toml(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"
    result = run(
        "init", tmp_path / "hub", *ARGUMENTS, "--database-url", url, "--public-url", "https://hub.example/"
    )
    assert result.exit_code == 0, result.output
    settings = Settings.load(tmp_path / "hub")
    assert (settings.database_url, settings.public_url) == (url, "https://hub.example")
    assert not (tmp_path / "hub" / "hub.sqlite3").exists()


def test_it_makes_a_hub_on_postgresql(tmp_path: Path, postgres):
    url = postgres.database()
    assert run("init", tmp_path / "hub", *ARGUMENTS, "--database-url", url).exit_code == 0
    again = run("init", tmp_path / "again", *ARGUMENTS, "--database-url", url)
    assert again.exit_code == 1
    assert "holds tables already" in again.stderr
    assert not (tmp_path / "again").exists()


def test_an_empty_directory_will_do(tmp_path: Path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".init-interrupted").mkdir()
    assert run("init", tmp_path, *ARGUMENTS).exit_code == 0
    assert (tmp_path / "hub.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("--admin", "ro/ot"), PASSWORD, "ro/ot"),
        (("--admin", "root"), "short", "10 to"),
        (("--admin", "root"), "", "10 to"),
        (("--admin", "root", "--public-url", "hub.example"), PASSWORD, "public_url"),
        (("--admin", "root", "--objects-url", "ftp://x"), PASSWORD, "objects_url"),
        (("--admin", "root", "--database-url", "sqlite:////nowhere/hub"), PASSWORD, "database"),
    ],
)
def test_what_cannot_be_leaves_nothing(tmp_path: Path, arguments, stdin: str, message: str):
    result = run("init", tmp_path / "hub", "--password-stdin", *arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "hub").exists()
    (tmp_path / "empty").mkdir()
    run("init", tmp_path / "empty", "--password-stdin", *arguments, stdin=stdin)
    assert list((tmp_path / "empty").iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path):
    run("init", tmp_path / "hub", *ARGUMENTS)
    secret = (tmp_path / "hub" / "secret").read_text()
    again = run("init", tmp_path / "hub", *ARGUMENTS)
    assert again.exit_code == 1
    assert "There is a Hub in" in again.stderr
    assert (tmp_path / "hub" / "secret").read_text() == secret
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    assert "thesis.tex" in run("init", tmp_path / "other", *ARGUMENTS).stderr
    assert "is a file" in run("init", tmp_path / "other" / "thesis.tex", *ARGUMENTS).stderr


def test_commands_want_a_hub_of_this_version(tmp_path: Path):
    assert "`pytupli-server init" in run("stats", tmp_path).stderr
    run("init", tmp_path / "hub", *ARGUMENTS)
    database = Database(Settings.load(tmp_path / "hub").database_url, connections=1)
    with migrating(database) as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version_num = '9999'")
    database.dispose()
    for command in ("start", "stats", "fsck", "gc"):
        result = run(command, tmp_path / "hub")
        assert result.exit_code == 1
        assert "newer than this version" in result.stderr


def test_migrations_that_wait_keep_a_server_from_starting(tmp_path: Path):
    run("init", tmp_path / "hub", *ARGUMENTS)
    assert "is at 0002" in run("migrate", tmp_path / "hub").stdout
    database = Database(Settings.load(tmp_path / "hub").database_url, connections=1)
    with migrating(database) as connection:
        tables = [
            row[0]
            for row in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        for table in tables:
            connection.exec_driver_sql(f"DROP TABLE {table}")
    database.dispose()
    result = run("start", tmp_path / "hub", "--port", "0")
    assert result.exit_code == 1
    assert f"pytupli-server migrate {tmp_path / 'hub'}" in result.stderr
