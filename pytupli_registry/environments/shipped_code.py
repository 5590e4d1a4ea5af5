"""Python source that comes with a benchmark, imported from the very bytes that the user consented to.

The archive has one form only: what :func:`pack_code` writes for its files. So a file that is a zip in any other way
(compressed, with comments, names twice, links, trailing bytes) is refused, and its hash stands for exactly one set of
sources.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from pytupli_registry.environments.entry_points import is_module_name
from pytupli_registry.environments.installed import (
    find_installed,
    is_plain_directory,
    is_shipped,
    location_of,
)
from pytupli_registry.errors import ArtifactError, EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["ShippedCode", "pack_code"]

_MAX_FILES = 1000
_MAX_BYTES = 16 << 20
_FILE = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*/)*[A-Za-z_][A-Za-z0-9_]*\.py", re.ASCII)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold


@dataclass(frozen=True, slots=True)
class ShippedCode:
    """Python modules as data.

    Attributes:
        sha256: of the archive, in hexadecimal; consent names it.
        modules: source by path, ``acme/__init__.py``.
    """

    sha256: str
    modules: Mapping[str, bytes]

    @classmethod
    def from_bytes(cls, content: bytes, sha256: str) -> ShippedCode:
        """Read an archive; nothing in it is compiled or run.

        Raises:
            ArtifactError: it is not the file of this hash, or not an archive that :func:`pack_code` would write.
        """
        if len(content) > _MAX_BYTES:
            raise ArtifactError(f"The shipped code is larger than {_MAX_BYTES >> 20} MiB.")
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise ArtifactError(f"The shipped code has the hash {found[:12]}…, and not {sha256!s:.12}….")
        modules = _unpacked(content)
        _check_paths(modules)
        if _packed(modules) != content:
            raise _not_ours("it is written in another way, so its hash could stand for other sources too")
        return cls(sha256, MappingProxyType(modules))

    @property
    def content(self) -> bytes:
        """The archive, whose hash is ``sha256``."""
        return _packed(self.modules)

    @property
    def module_names(self) -> tuple[str, ...]:
        """The top-level modules and packages."""
        return tuple(dict.fromkeys(_module_name(path).partition(".")[0] for path in self.modules))

    def conflict(self) -> str | None:
        """Say which module of this Python the code would replace, or return None; nothing is imported.

        The same code, loaded before or installed here too, is no conflict.
        """
        for name in self.module_names:
            if name in sys.stdlib_module_names:
                return f"The shipped code would replace {name!r}, a module of Python."
            loaded = sys.modules.get(name)
            if loaded is not None and is_shipped(loaded.__spec__):
                if _loader_hash(loaded) != self.sha256:
                    return f"Another version of {name!r} has been imported from shipped code; start a new process."
            elif not self._is_the_installed(name):
                return f"The shipped code would replace the installed module {name!r}."
        return None

    def mount(self) -> None:
        """Let Python import these modules, from these bytes; the caller has asked for consent.

        Raises:
            EnvironmentRefused: the modules are not those of the hash, or would replace others.
        """
        modules = MappingProxyType(dict(self.modules))
        if hashlib.sha256(_packed(modules)).hexdigest() != self.sha256:
            raise EnvironmentRefused("The shipped code is not what was consented to: its bytes have changed.")
        conflict = self.conflict()
        if conflict is not None:
            raise EnvironmentRefused(
                conflict, hint="Code that comes with data may only bring names of its own."
            )
        names = frozenset(name for name in self.module_names if not _is_loaded_from_elsewhere(name))
        known = {finder.sha256 for finder in sys.meta_path if isinstance(finder, _ShippedFinder)}
        if names and self.sha256 not in known:
            sys.meta_path.insert(0, _ShippedFinder(self.sha256, modules, names))

    def _is_the_installed(self, name: str) -> bool:
        spec = find_installed(name)
        if spec is None or (is_plain_directory(spec) and name not in sys.modules):
            return True
        root = location_of(spec)
        paths = [path for path in self.modules if _module_name(path).partition(".")[0] == name]
        return root is not None and all(_reads(root / path, self.modules[path]) for path in paths)


class _ShippedFinder(importlib.abc.MetaPathFinder):
    """Finds the modules of one archive, and no others."""

    def __init__(self, sha256: str, modules: Mapping[str, bytes], names: frozenset[str]) -> None:
        self.sha256 = sha256
        self._names = names
        self._paths = {_module_name(path): path for path in modules}
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Answer for a module of the archive."""
        del path, target
        if fullname.partition(".")[0] not in self._names or fullname not in self._paths:
            return None
        file = self._paths[fullname]
        loader = _ShippedLoader(self.sha256, file, self._modules[file])
        spec = importlib.util.spec_from_loader(fullname, loader, is_package=file.endswith("/__init__.py"))
        if spec is not None:
            spec.origin = loader.get_filename(fullname)
            spec.has_location = True  # gives the module a __file__, which inspect.getsource asks for
        return spec


class _ShippedLoader(importlib.abc.ExecutionLoader):
    """Loads one module from bytes in memory; nothing is written to disk."""

    def __init__(self, sha256: str, path: str, source: bytes) -> None:
        self.shipped_sha256 = sha256
        self._path = path
        self._source = source

    def get_source(self, fullname: str) -> str:
        """Return the source, for tracebacks and :mod:`inspect`."""
        del fullname
        return importlib.util.decode_source(self._source)

    def get_filename(self, fullname: str) -> str:
        """Return a name that no file has."""
        del fullname
        return f"<shipped {self.shipped_sha256[:12]}>/{self._path}"


def pack_code(sources: ModuleType | Path | Iterable[ModuleType | Path]) -> ShippedCode:
    """Pack modules, packages, ``.py`` files or directories of them, so that they can be shipped as an artifact.

    The same sources give the same bytes everywhere. Only Python source is taken; whatever else a package holds has to
    be an artifact of its own.

    Raises:
        ArtifactError: there is no source, too much of it, or a link that leads out of a package.
    """
    given = (sources,) if isinstance(sources, ModuleType | Path | str) else tuple(sources)
    modules: dict[str, bytes] = {}
    for source in given:
        for path, file in _files(_source_path(source)):
            if path in modules:
                raise ArtifactError(f"Two of the sources would be {path!r}.")
            modules[path] = _bounded(file)
    _check_paths(modules)
    content = _packed(modules)
    if len(content) > _MAX_BYTES:
        raise ArtifactError(
            f"The code is larger than {_MAX_BYTES >> 20} MiB.", hint="Ship data as artifacts."
        )
    return ShippedCode(hashlib.sha256(content).hexdigest(), MappingProxyType(dict(sorted(modules.items()))))


def _source_path(source: ModuleType | Path | str) -> Path:
    if not isinstance(source, ModuleType):
        return Path(source)
    if "." in source.__name__ or source.__name__ == "__main__":
        raise ArtifactError(
            f"The module {source.__name__!r} cannot be shipped on its own.",
            hint="Ship the package it is in, or put it into a file of its own and give its path.",
        )
    locations = getattr(source, "__path__", None)
    place = next(iter(locations)) if locations else getattr(source, "__file__", None)
    if place is None:
        raise ArtifactError(f"The module {source.__name__!r} has no source that could be shipped.")
    return Path(place)


def _files(source: Path) -> list[tuple[str, Path]]:
    if source.is_file() and source.suffix == ".py":
        return [(source.name, source)]
    if not (source / "__init__.py").is_file():
        raise ArtifactError(
            f"{str(source)!r} is neither a .py file nor a package.", hint="A package holds an __init__.py."
        )
    root = source.resolve()
    found = [
        (f"{root.name}/{path.relative_to(root).as_posix()}", path) for path in _package_files(root, root)
    ]
    if len(found) > _MAX_FILES:
        raise ArtifactError(f"{str(source)!r} holds more than {_MAX_FILES} source files.")
    return found


def _package_files(directory: Path, root: Path) -> Iterator[Path]:
    """Yield the sources of a package and those within it; directories that are no packages hold none."""
    for path in sorted(directory.iterdir()):
        is_package = path.is_dir() and (path / "__init__.py").is_file()
        if not is_package and not (path.is_file() and _FILE.fullmatch(path.name)):
            continue
        if not path.resolve().is_relative_to(root) or (is_package and path.is_symlink()):
            raise ArtifactError(f"{str(path)!r} is a link that leads out of the package.")
        if is_package:
            yield from _package_files(path, root)
        else:
            yield path


def _bounded(file: Path) -> bytes:
    with file.open("rb") as opened:
        source = opened.read(_MAX_BYTES + 1)
    if len(source) > _MAX_BYTES:
        raise ArtifactError(f"{str(file)!r} is larger than {_MAX_BYTES >> 20} MiB.")
    return source


def _packed(modules: Mapping[str, bytes]) -> bytes:
    """Stored, sorted, with one time and one mode: the bytes depend on names and sources alone."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(modules):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, modules[path])
    return written.getvalue()


def _unpacked(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_FILES or sum(entry.file_size for entry in entries) > len(content):
                raise _not_ours("it would unpack to more than it is")
            if len({entry.filename for entry in entries}) < len(entries):
                raise _not_ours("it holds a name twice")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise _not_ours("it is compressed")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise _not_ours("it is no zip archive that can be read") from error


def _check_paths(modules: Mapping[str, bytes]) -> None:
    if not modules or len(modules) > _MAX_FILES:
        raise ArtifactError(f"Shipped code holds 1 to {_MAX_FILES} modules, and not {len(modules)}.")
    for path in modules:
        if len(path) > 200 or _FILE.fullmatch(path) is None or path in {"__init__.py", "__main__.py"}:
            raise ArtifactError(f"{path!a:.120} is no Python source file within a package.")
        above = path.split("/")[:-1]
        package = "/".join(above)
        if not all(is_module_name(name) for name in above):
            raise ArtifactError(f"{path!a:.120} lies in no package that can be imported.")
        if above and f"{package}/__init__.py" not in modules:
            raise ArtifactError(f"{path!a:.120} lies in a directory without an __init__.py.")
        if f"{path.removesuffix('.py')}/__init__.py" in modules:
            raise ArtifactError(f"{path!a:.120} is a module and a package at once.")


def _module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _loader_hash(module: ModuleType) -> str | None:
    return getattr(getattr(module.__spec__, "loader", None), "shipped_sha256", None)


def _is_loaded_from_elsewhere(name: str) -> bool:
    return name in sys.modules and _loader_hash(sys.modules[name]) is None


def _reads(file: Path, source: bytes) -> bool:
    try:
        return file.stat().st_size == len(source) and file.read_bytes() == source
    except OSError:
        return False


def _not_ours(problem: str) -> ArtifactError:
    return ArtifactError(
        f"The shipped code is no archive of Python sources as this library writes it: {problem}."
    )
