"""Hubs under test: real processes, made and started with the command a person uses, with accounts and tokens."""

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytupli_registry.server.services import accounts, tokens
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Role
from pytupli_registry.server.settings import Settings
from tests.server.support.postgres import Postgres
from tests.server.support.s3 import S3Server

BIN = Path(sys.executable).parent
SERVER = (sys.executable, "-m", "pytupli_registry.cli.server")
STARTS_WITHIN_S = 60
ADMIN = "root-admin"
PASSWORD = "correct horse battery"
PEOPLE = {"owner": "olga", "writer": "Wim", "contributor": "cora", "reader": "rita", "stranger": "sten"}
ROLES = {"owner": Role.ADMIN, "writer": Role.WRITE, "contributor": Role.CONTRIBUTOR, "reader": Role.READ}
ORGANIZATION = "Acme"
MINARI_ORGANIZATION = "gymnasts"
HIDDEN_ORGANIZATION = "initech"  # where nothing is public
SETTINGS = {
    "PYTUPLI_SERVER_WEBHOOK_HOSTS": '["127.0.0.1", "hooks.example.org"]',
    "PYTUPLI_SERVER_LFS_PART_SIZE": str(5 << 20),  # so that a file of some megabytes travels in parts
    "PYTUPLI_SERVER_FSYNC": "false",
    "PYTUPLI_SERVER_LOG_LEVEL": "warning",
}


@dataclass(frozen=True)
class RunningHub:
    """A Hub that answers at ``endpoint``; ``description`` is what the cases know of it."""

    endpoint: str
    description: dict
    log: Path


def _sqlite(_: ExitStack) -> dict[str, str]:
    return {}


def _postgresql(stack: ExitStack) -> dict[str, str]:
    bucket = stack.enter_context(S3Server())
    database = stack.enter_context(Postgres())
    return {
        "PYTUPLI_SERVER_DATABASE_URL": database.database(),
        "PYTUPLI_SERVER_OBJECTS_URL": bucket.url(),
        "PYTUPLI_SERVER_OBJECTS_OPTIONS": json.dumps(bucket.options()),
    }


def _small_pages(_: ExitStack) -> dict[str, str]:
    return {"PYTUPLI_SERVER_PAGE_SIZE": "3"}


KINDS = {"sqlite": _sqlite, "postgresql": _postgresql, "small-pages-behind-prefix": _small_pages}


@contextmanager
def running_hub(kind: str, place: Path) -> AbstractContextManager[RunningHub]:
    """Make a Hub of a kind in ``place`` and serve it until the end of the context."""
    with ExitStack() as stack:
        settings = {**SETTINGS, **KINDS[kind](stack)}
        proxy_port = None
        if kind == "small-pages-behind-prefix":
            proxy_port = _free_port()
            settings["PYTUPLI_SERVER_PUBLIC_URL"] = f"http://127.0.0.1:{proxy_port}/a/hub"
        directory, environment = place / "hub", {**_clean_environment(), **settings}
        _init(directory, environment)
        description = _fill(directory, settings)
        log = place / "hub.log"
        endpoint = stack.enter_context(_serving(directory, environment, log))
        if proxy_port is not None:
            endpoint = stack.enter_context(_proxy(endpoint, proxy_port, place))
        yield RunningHub(endpoint, description, log)


def _clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTUPLI_", "HF_", "MINARI_"))
    }


def _init(directory: Path, environment: dict[str, str]) -> None:
    command = [*SERVER, "init", directory, "--admin", ADMIN, "--password-stdin"]
    subprocess.run(
        command, env=environment, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True
    )


def _fill(directory: Path, settings: dict[str, str]) -> dict:
    """Create the people, their organizations and tokens, through the server's services."""
    with _environment(settings):
        hub = Hub.open(Settings.load(directory))
    with hub.database.write() as session:
        users = {
            role: accounts.create_user(session, name, password=PASSWORD) for role, name in PEOPLE.items()
        }
        users["admin"] = accounts.find_user(session, ADMIN)
        for name in (ORGANIZATION, MINARI_ORGANIZATION, HIDDEN_ORGANIZATION):
            visibility = "private" if name == HIDDEN_ORGANIZATION else "public"
            organization = accounts.create_organization(session, name, None, default_visibility=visibility)
            for role, rights in ROLES.items():
                accounts.add_member(session, organization.id, users[role].id, rights)
        made = {
            role: {"name": user.name, "token": tokens.create_token(session, user.id, "tests")}
            for role, user in users.items()
        }
        owner = users["owner"].id
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.5)
        more = {
            "read_only": tokens.create_token(session, owner, "weak", role="read"),
            "expired": tokens.create_token(session, owner, "short", expires_at=soon),
            "revoked": tokens.create_token(session, owner, "lost"),
        }
        tokens.revoke_token(session, owner, "lost")
    hub.close()
    return {
        "accounts": made,
        "tokens": more,
        "password": PASSWORD,
        "organization": ORGANIZATION,
        "minari_organization": MINARI_ORGANIZATION,
        "hidden_organization": HIDDEN_ORGANIZATION,
    }


@contextmanager
def _environment(settings: dict[str, str]):
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _serving(directory: Path, environment: dict[str, str], log: Path):
    command = [*SERVER, "start", directory, "--port", "0", "--json"]
    with log.open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        announced = ""
        for line in process.stdout:
            announced += line
            try:
                endpoint = json.loads(announced)["url"]
                break
            except ValueError:
                continue
        else:
            raise RuntimeError(f"the Hub did not start: {log.read_text()}")
        yield endpoint
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


@contextmanager
def _proxy(endpoint: str, port: int, place: Path):
    """Caddy in front of the Hub: what clients call begins with a path that the Hub does not see."""
    upstream = endpoint.removeprefix("http://")
    configuration = place / "Caddyfile"
    configuration.write_text(
        "{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\tlevel ERROR\n\t}\n}\n"
        f"http://127.0.0.1:{port} {{\n\thandle_path /a/hub/* {{\n\t\treverse_proxy {upstream}\n\t}}\n"
        "\trespond 421\n}\n"
    )
    command = [BIN / "caddy", "run", "--config", configuration, "--adapter", "caddyfile"]
    environment = {
        **os.environ,
        "HOME": str(place),
        "XDG_CONFIG_HOME": str(place),
        "XDG_DATA_HOME": str(place),
    }
    with (place / "caddy.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        public = f"http://127.0.0.1:{port}/a/hub"
        _wait_for(f"{public}/health", process)
        yield public
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing answers at {url}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
