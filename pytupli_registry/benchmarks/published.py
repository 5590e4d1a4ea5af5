"""The datasets beside a benchmark that lies on a Hub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytupli_registry.errors import DatasetNotFound, FileNotInRepository, InvalidReference
from pytupli_registry.references import Reference
from pytupli_registry.storage.namespaces import NAMESPACE_NAME

if TYPE_CHECKING:
    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.hub.snapshots import Snapshot

__all__ = ["open_remote_dataset", "remote_dataset_names"]


def remote_dataset_names(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the names of the datasets that a repository's Minari namespace lists, ``summer-v0``, sorted.

    Raises:
        HubError: the Hub refuses, or cannot be reached.
    """
    try:
        said = json.loads(snapshot.read(NAMESPACE_NAME))
    except (FileNotInRepository, ValueError):
        return ()
    listed = said.get("datasets") if isinstance(said, dict) else None
    return tuple(sorted({name for one in listed or () if (name := _name_of(one)) is not None}))


def _name_of(dataset_id: object) -> str | None:
    """Return the name below the repository of one of its ids, ``hvac/summer-v0``."""
    try:
        reference = Reference.parse_dataset(str(dataset_id))
    except InvalidReference:
        return None
    return "/".join((*reference.namespace[1:], *filter(None, [reference.dataset])))


def open_remote_dataset(snapshot: Snapshot, name: str) -> Dataset:
    """Open a dataset of a repository at the same commit; its values come when they are asked for.

    Raises:
        DatasetNotFound: there is none of that name.
        FormatError: its files are damaged or unsafe.
        HubError: the Hub refuses, or cannot be reached.
    """
    from pytupli_registry.remote.opening import open_at  # noqa: PLC0415 - what is here must not cost the Hub's client

    known = remote_dataset_names(snapshot)
    if known and name not in known:
        raise DatasetNotFound(name, f"{snapshot.repo} on {snapshot.hub.endpoint}", known=known)
    return open_at(snapshot, name)
