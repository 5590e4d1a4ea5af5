"""``package.module:Class`` as text from a file: read strictly, never looked up."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from pytupli_registry.errors import EnvironmentRefused

__all__ = ["EntryPoint", "is_module_name", "lies_within", "parse_entry_point"]

# ASCII only, so that no letter looks like another; nothing with two leading underscores, so no `__class__`.
_NAME = r"(?!__)[A-Za-z_][A-Za-z0-9_]*"
_NAMES = rf"{_NAME}(?:\.{_NAME})*"
_MODULE = re.compile(_NAMES)
_ENTRY_POINT = re.compile(rf"({_NAMES}):({_NAMES})")
_MAX_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A module and the attributes that lead to a class in it."""

    module: str
    attributes: tuple[str, ...]

    @property
    def top_level(self) -> str:
        """The package or module that has to be installed."""
        return self.module.partition(".")[0]

    @property
    def is_standard_library(self) -> bool:
        """Whether Python itself brings the module: it holds no environment, but much that should not be called."""
        return self.top_level in sys.stdlib_module_names or self.top_level in sys.builtin_module_names

    def __str__(self) -> str:
        return f"{self.module}:{'.'.join(self.attributes)}"


def parse_entry_point(text: object) -> EntryPoint:
    """Read an entry point; nothing is imported.

    Raises:
        EnvironmentRefused: it is no ``package.module:Class``.
    """
    found = _ENTRY_POINT.fullmatch(text) if isinstance(text, str) and len(text) <= _MAX_CHARACTERS else None
    if found is None:
        raise EnvironmentRefused(
            f"{text!a:.120} is no entry point.",
            hint="An entry point reads 'package.module:Class', in plain letters, digits and underscores.",
        )
    return EntryPoint(found[1], tuple(found[2].split(".")))


def is_module_name(text: str) -> bool:
    """Whether this is a dotted module name, written as an entry point's must be."""
    return _MODULE.fullmatch(text) is not None


def lies_within(module: str, prefix: str) -> bool:
    """Whether a module is the one named or below it: ``acme`` holds ``acme.envs`` and not ``acmeevil``."""
    return module == prefix or module.startswith(prefix + ".")
