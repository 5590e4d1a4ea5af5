"""Minari's namespaces: directories above datasets, each described by a small file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NAMESPACE_NAME", "describe_namespaces"]

NAMESPACE_NAME = "namespace_metadata.json"


def describe_namespaces(root: Path, dataset_id: str) -> None:
    """Write the files that ``minari.namespace.create_namespace`` would, where they are missing."""
    directory = root
    for name in dataset_id.split("/")[:-1]:
        directory /= name
        path = directory / NAMESPACE_NAME
        if not path.exists():
            path.write_text("{}", encoding="utf-8")
