"""Modules that this Python finds on its own, told apart from code that came with data. Nothing is imported."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

__all__ = ["SITES", "find_installed", "is_among_data", "is_plain_directory", "is_shipped", "location_of"]

SITES = frozenset({"site-packages", "dist-packages"})


def is_shipped(spec: ModuleSpec | None) -> bool:
    """Whether a module's code came with data: its loader says which piece of code it is of."""
    return getattr(spec.loader, "shipped_sha256", None) is not None if spec is not None else False


def find_installed(top_level: str) -> ModuleSpec | None:
    """Return where Python would import a top-level module from, or None; shipped code does not count."""
    loaded = sys.modules.get(top_level)
    if loaded is not None and not is_shipped(loaded.__spec__):
        return loaded.__spec__ or importlib.util.spec_from_loader(top_level, None)
    for finder in tuple(sys.meta_path):
        find_spec = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = None if find_spec is None else find_spec(top_level, None, None)
        if spec is not None and not is_shipped(spec):
            return spec
    return None


def location_of(spec: ModuleSpec) -> Path | None:
    """Return the directory on the search path that holds a top-level module or package, or None."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve().parent
    return Path(spec.origin).resolve().parent if spec.origin and spec.has_location else None


def is_plain_directory(spec: ModuleSpec) -> bool:
    """Whether this is no package but a directory of that name on the search path, such as the current one's."""
    locations = () if spec.has_location or spec.origin else spec.submodule_search_locations or ()
    return bool(locations) and not any(Path(location).parent.name in SITES for location in locations)


def is_among_data(spec: ModuleSpec) -> bool:
    """Whether a module lies in a benchmark's directory, which Python searches when it is the current one."""
    directory = location_of(spec)
    if directory is None or directory.name in SITES:
        return False
    # The benchmark's directory itself may pose as a package.
    homes = [directory, *map(Path, spec.submodule_search_locations or ())]
    homes += directory.parents[1:2] if directory.parent.name == "artifacts" else ()
    return any((home / "benchmark.json").exists() for home in homes)
