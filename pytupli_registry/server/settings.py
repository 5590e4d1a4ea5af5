"""What one Hub is configured to do: ``hub.toml`` in its directory, overridden by ``PYTUPLI_SERVER_*``.

This is one of the two files of the project that read the environment (the other is the client's ``config.py``).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

__all__ = ["CONFIG_NAME", "SECRET_NAME", "Settings", "SettingsError"]

CONFIG_NAME = "hub.toml"
SECRET_NAME = "secret"  # noqa: S105 - the name of the file, not what is in it
MEBIBYTE = 1 << 20


class SettingsError(Exception):
    """The configuration cannot be read, or says something that is not possible."""


class Settings(BaseSettings):
    """The configuration of one Hub.

    Attributes:
        directory: the Hub's own directory: database and objects unless told otherwise, secret, spool.
        database_url: an SQLAlchemy URL; default ``sqlite:///DIR/hub.sqlite3``.
        objects_url: ``file:///…``, ``s3://bucket/prefix`` (or ``gs://``, ``az://``); default ``DIR/objects``.
        objects_options: options of the object store (endpoint, region, keys), as obstore names them.
        redirect_downloads: send readers to signed URLs of the object store, where it can sign.
        public_url: what clients call this server; None takes it from each request's Host header.
        trusted_proxies: addresses whose ``X-Forwarded-*`` headers are believed.
        metrics_addresses: addresses that may read ``/metrics`` without being administrators.
        page_size: entries of a listing's page.
        max_file_size: bytes of one file.
        max_regular_size: bytes of one file inside a commit's body.
        max_commit_size: bytes of a commit's whole body.
        max_commit_operations: operations of one commit.
        inline_size: regular files up to so many bytes live in the database.
        lfs_part_size: bytes of a part of a multipart upload; files up to it are sent in one piece.
        upload_expires_s: life of signed upload URLs, seconds.
        xet_token_expires_s: life of Xet write tokens, seconds.
        device_code_expires_s: life of a device login, seconds.
        access_token_expires_s: life of a token made by a device login, seconds.
        threads: requests served at the same time.
        gc_grace_s: seconds that unreferenced data is kept.
        minari_guard: refuse commits that would break ``minari list remote`` for the whole organization.
        allow_registration: let strangers create accounts.
        login_attempts: failed log-ins of one name or address in ten minutes before it has to wait.
        webhook_hosts: host names that webhooks may call, whatever their addresses; empty means every public address,
            and so does a ``*`` among them.
        fsync: force bytes to the disk before they are acknowledged.
        log_format: structured lines for machines (``json``) or for people (``console``).
        log_level: the least level that is logged.
        shutdown_s: seconds that running requests get to finish at a shutdown.
        secret: key of all signatures; read from the file ``secret`` in the directory unless given.
    """

    model_config = SettingsConfigDict(env_prefix="PYTUPLI_SERVER_", extra="forbid", frozen=True)

    directory: Path
    database_url: str = ""
    objects_url: str = ""
    objects_options: dict[str, str] = Field(default_factory=dict)
    redirect_downloads: bool = True
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    metrics_addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    page_size: int = Field(default=1000, ge=1, le=10_000)
    max_file_size: int = Field(default=500 << 30, ge=1)
    max_regular_size: int = Field(default=32 * MEBIBYTE, ge=1)
    max_commit_size: int = Field(default=512 * MEBIBYTE, ge=1)
    max_commit_operations: int = Field(default=25_000, ge=1)
    inline_size: int = Field(default=64 << 10, ge=0, le=MEBIBYTE)
    lfs_part_size: int = Field(default=64 * MEBIBYTE, ge=1024)
    upload_expires_s: int = Field(default=6 * 3600, ge=60)
    xet_token_expires_s: int = Field(default=3600, ge=60)
    device_code_expires_s: int = Field(default=900, ge=30)
    access_token_expires_s: int = Field(default=30 * 86_400, ge=60)
    threads: int = Field(default=40, ge=1, le=1000)
    gc_grace_s: int = Field(default=86_400, ge=0)
    minari_guard: bool = True
    allow_registration: bool = False
    login_attempts: int = Field(default=10, ge=1)
    webhook_hosts: tuple[str, ...] = ()
    fsync: bool = True
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    shutdown_s: int = Field(default=30, ge=0)
    secret: SecretStr = SecretStr("")

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not url.startswith(("http://", "https://")):
            raise ValueError("it must begin with http:// or https://")
        return url.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment comes before what the file says (which arrives as arguments)."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the configuration of the Hub in ``directory``.

        Raises:
            SettingsError: there is no Hub, the file is no TOML, or a setting is unknown or impossible.
        """
        directory = directory.resolve()
        try:
            said: dict[str, Any] = tomllib.loads((directory / CONFIG_NAME).read_text("utf-8"))
        except FileNotFoundError as error:
            raise SettingsError(
                f"There is no Hub in {directory}: `pytupli-server init {directory}` makes one."
            ) from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{directory / CONFIG_NAME} cannot be read: {error}.") from error
        try:
            settings = cls(**{**said, "directory": directory})
        except ValidationError as error:
            raise SettingsError(f"{directory / CONFIG_NAME}: {_sentences(error)}") from error
        return settings._completed()

    def _completed(self) -> Self:
        return self.model_copy(
            update={
                "database_url": self.database_url or f"sqlite:///{self.directory / 'hub.sqlite3'}",
                "objects_url": self.objects_url or (self.directory / "objects").as_uri(),
                "secret": self.secret if self.secret.get_secret_value() else self._secret_of_file(),
            }
        )

    def _secret_of_file(self) -> SecretStr:
        try:
            secret = (self.directory / SECRET_NAME).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The Hub's secret cannot be read from {self.directory / SECRET_NAME}: {error}. "
                "Restore it from a backup, or set PYTUPLI_SERVER_SECRET."
            ) from error
        if len(secret) < 32:
            raise SettingsError(f"{self.directory / SECRET_NAME} is shorter than 32 characters.")
        return SecretStr(secret)


def _sentences(error: ValidationError) -> str:
    # Never pydantic's own text: it repeats the value, which may be a password.
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
