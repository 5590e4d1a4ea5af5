"""Which benchmarks can be made here: the recipes in installed packages.

A distribution offers a catalog through the entry point group ``pytupli_registry.catalogs``: the name of an importable
package with one directory a benchmark. Finding, listing and reading recipes imports neither that package nor anything
a recipe names.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytupli_registry.catalog.recipe import FILE_NAME, Recipe, read_recipe
from pytupli_registry.errors import BenchmarkNotFound, FormatError, PytupliError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CATALOG_GROUP", "Catalog", "CatalogEntry", "catalogs", "entry", "list_catalog"]

CATALOG_GROUP = "pytupli_registry.catalogs"

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Catalog:
    """A package of recipes.

    Attributes:
        name: of its entry point.
        package: to import for training and baselines.
        directory: where it lies.
    """

    name: str
    package: str
    directory: Path

    def entries(self) -> Iterator[CatalogEntry]:
        """Yield its benchmarks by name; those that cannot be read say why."""
        for path in sorted(self.directory.glob(f"*/{FILE_NAME}")):
            yield self.entry(path.parent.name)

    def entry(self, name: str) -> CatalogEntry:
        """Return the benchmark of a name."""
        directory = self.directory / name
        try:
            return CatalogEntry(name, self, directory, read_recipe(directory))
        except FormatError as error:
            return CatalogEntry(name, self, directory, None, error)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A benchmark that a catalog can make.

    Attributes:
        name: of the benchmark.
        catalog: which offers it.
        directory: with its recipe, its card and its files.
        readable: the recipe, or None where it cannot be read.
        problem: why not.
    """

    name: str
    catalog: Catalog
    directory: Path
    readable: Recipe | None
    problem: PytupliError | None = None

    @property
    def recipe(self) -> Recipe:
        """The recipe.

        Raises:
            FormatError: it cannot be read.
        """
        if self.readable is None:
            raise self.problem or FormatError(self.directory / FILE_NAME, "it cannot be read")
        return self.readable


def catalogs() -> list[Catalog]:
    """Return the installed catalogs by name; one whose package is not there is logged."""
    found = []
    for point in sorted(entry_points(group=CATALOG_GROUP), key=lambda point: point.name):
        directory = _directory(point.module)
        if directory is None:
            _LOGGER.warning("The catalog %r is not there: no package %r.", point.name, point.module)
        else:
            found.append(Catalog(point.name, point.module, directory))
    return found


def list_catalog() -> list[CatalogEntry]:
    """Return every benchmark of every installed catalog, by name."""
    every = [entry for catalog in catalogs() for entry in catalog.entries()]
    return sorted(every, key=lambda found: (found.name, found.catalog.name))


def entry(name: str) -> CatalogEntry:
    """Return one benchmark.

    Args:
        name: ``cartpole``; ``builtin/cartpole`` where more than one catalog has one.

    Raises:
        BenchmarkNotFound: no catalog has it, or more than one.
        FormatError: its recipe cannot be read.
    """
    every = list_catalog()
    matching = [found for found in every if name in {found.name, _full_name(found)}]
    if len(matching) > 1:
        places = ", ".join(repr(_full_name(found)) for found in matching)
        raise BenchmarkNotFound(name, "one catalog alone", hint=f"Say which: {places}.")
    if not matching:
        known = [found.name for found in every]
        raise BenchmarkNotFound(
            name, "the catalog", known=known, hint=None if known else "No catalog is installed."
        )
    matching[0].recipe  # noqa: B018 - what cannot be read is not found either
    return matching[0]


def _full_name(found: CatalogEntry) -> str:
    return f"{found.catalog.name}/{found.name}"


def _directory(package: str) -> Path | None:
    """Return where a package lies, without importing it; None if there is none."""
    try:
        spec = find_spec(package)
    except ImportError:  # the package above it is not there
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
