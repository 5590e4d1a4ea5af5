"""Minari's namespaces: directories above datasets, each described by a small file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytupli_registry.errors import DatasetExists, InvalidReference, UnsafeFile
from pytupli_registry.storage.durable import make_directories, write_durably

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NAMESPACE_NAME", "check_new_id", "make_namespaces"]

NAMESPACE_NAME = "namespace_metadata.json"
_DATA = "data"


def check_new_id(root: Path, dataset_id: str) -> None:
    """Check that a dataset of this id, which parses, can be made, found again, and read by Minari.

    Raises:
        InvalidReference: Minari refuses the id, or the dataset would lie inside another one, or hide others.
        DatasetExists: there is a dataset of this id.
        UnsafeFile: a symbolic link leads out of the store.
    """
    home = root / dataset_id
    if (home / _DATA).exists():
        raise DatasetExists(dataset_id)
    if not (home / _DATA).resolve().is_relative_to(root.resolve()):
        raise UnsafeFile(home, "a symbolic link leads out of the store")
    *namespace, _ = dataset_id.split("/")
    if len("/".join(namespace)) == 1:
        raise InvalidReference(
            dataset_id, "Minari takes no namespace of one letter", hint="Use a longer name before the '/'."
        )
    if _DATA in namespace:
        raise InvalidReference(
            dataset_id, "'data' is the directory of a dataset's files", hint="Use another name."
        )
    for depth in range(1, len(namespace) + 1):
        above = "/".join(namespace[:depth])
        if (root / above / _DATA).exists():
            raise InvalidReference(dataset_id, f"{above!r} is a dataset, which can hold no other")
    if (home / NAMESPACE_NAME).exists():
        raise InvalidReference(dataset_id, "there is a namespace of that name, whose datasets it would hide")


def make_namespaces(root: Path, dataset_id: str) -> None:
    """Make the directories of a dataset, and the files that ``minari.namespace.create_namespace`` would write."""
    make_directories(root / dataset_id)
    directory = root
    for name in dataset_id.split("/")[:-1]:
        directory /= name
        path = directory / NAMESPACE_NAME
        if not path.exists():
            write_durably(path, "{}")
