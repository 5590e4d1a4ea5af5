"""From configuration to a store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store, from_url

from pytupli_registry.server.objects.cloud import CloudStore
from pytupli_registry.server.objects.errors import disk_errors
from pytupli_registry.server.objects.folder import FolderStore
from pytupli_registry.server.objects.signing import SignedUrls
from pytupli_registry.server.objects.store import ObjectStore
from pytupli_registry.server.settings import SettingsError

__all__ = ["open_store"]

_CLOUDS = frozenset({"s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"})
_CLIENT = {
    "connect_timeout": "5s",
    "read_timeout": "30s",  # of every single read, and from a request to the beginning of its answer
    "timeout": "1day",  # of a whole answer, which takes as long as the slowest reader of a large object
}
_OF_CLIENT = frozenset(
    {*_CLIENT, "allow_http", "allow_invalid_certificates", "proxy_url", "root_certificate"}
)
_RETRY = {"max_retries": "5", "retry_timeout": "30"}
_SHORTEST_SECRET = 8  # characters; MinIO takes none below


def open_store(
    url: str | Path,
    options: Mapping[str, str] | None = None,
    *,
    fsync: bool = True,
    redirect: bool = False,
    spool: Path | None = None,
) -> ObjectStore:
    """Open the store at a URL: a path or ``file://`` for a folder, ``s3://bucket/prefix`` (``gs``, ``az``, …).

    Args:
        url: where.
        options: what obstore's stores and HTTP client can be told (``endpoint``, ``region``, ``access_key_id``,
            ``secret_access_key``, ``read_timeout``, …), ``max_retries``, ``retry_timeout`` in seconds, and
            ``public_endpoint``: the address under which readers reach the bucket, where it is another one.
        fsync: a folder's objects are on the disk before they are visible.
        redirect: readers are sent to signed URLs, where the store can sign.
        spool: a directory for objects on their way into a cloud, made if it is missing.

    Raises:
        SettingsError: the URL or an option is not understood.
        StoreUnavailable: a directory cannot be made.
    """
    parts = urlsplit(str(url))
    if isinstance(url, Path) or parts.scheme in ("", "file"):
        if options:
            raise SettingsError(f"objects_options: a folder has no options ({', '.join(sorted(options))}).")
        return FolderStore(_folder(url), fsync=fsync)
    if parts.scheme not in _CLOUDS:
        raise SettingsError(f"objects_url: {parts.scheme}:// is none of file, {', '.join(sorted(_CLOUDS))}.")
    return _open_cloud(str(url), dict(options or {}), redirect=redirect, spool=spool)


def _folder(url: str | Path) -> Path:
    if isinstance(url, Path):
        return url.absolute()
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise SettingsError(f"objects_url: {url} names another machine; a folder's URL has three slashes.")
    return Path(unquote(parts.path) if parts.scheme else url).absolute()


def _open_cloud(url: str, options: dict[str, str], *, redirect: bool, spool: Path | None) -> CloudStore:
    public = options.pop("public_endpoint", None)
    backend = _backend(url, options)
    if spool is not None:
        with disk_errors("making the spool"):
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not redirect:
        return CloudStore(backend, spool=spool)
    reachable = _backend(url, {**options, "endpoint": public}) if public else backend
    return CloudStore(backend, spool=spool, urls=SignedUrls(reachable, secret=_secret(options)))


def _backend(url: str, options: Mapping[str, str]) -> S3Store | GCSStore | AzureStore:
    config = {name: value for name, value in options.items() if name not in (_OF_CLIENT | _RETRY.keys())}
    client = {**_CLIENT, **{name: value for name, value in options.items() if name in _OF_CLIENT}}
    if config.get("endpoint", "").startswith("http://"):
        client.setdefault("allow_http", "true")
    settings: dict[str, Any] = {"config": config, "client_options": client, "retry_config": _retry(options)}
    try:
        backend = from_url(url, **settings)
    except (BaseError, ValueError) as error:
        # The text may hold what stood in the configuration, keys among it: neither it nor its cause is shown.
        raise SettingsError(f"objects_url, objects_options: {_without_values(str(error), options)}") from None
    if not isinstance(backend, S3Store | GCSStore | AzureStore):
        raise SettingsError("objects_url: not a store in a cloud.")
    return backend


def _retry(options: Mapping[str, str]) -> dict[str, Any]:
    said = {name: options.get(name, default) for name, default in _RETRY.items()}
    for name, value in said.items():
        if not re.fullmatch(r"[0-9]{1,6}", value):
            raise SettingsError(f"objects_options: {name} is not a number between 0 and 999999.")
    return {
        "max_retries": int(said["max_retries"]),
        "retry_timeout": timedelta(seconds=int(said["retry_timeout"])),
    }


def _secret(options: Mapping[str, str]) -> str | None:
    return options.get("secret_access_key") or options.get("aws_secret_access_key")


def _without_values(text: str, options: Mapping[str, str]) -> str:
    first = text.partition("\n")[0]
    for value in options.values():
        if len(value) >= _SHORTEST_SECRET:
            first = first.replace(value, "…")
    return first
