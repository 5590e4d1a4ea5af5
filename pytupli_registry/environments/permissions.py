"""What a user allows to run beside what Gymnasium has registered: modules by name, code and files by hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytupli_registry.config import ClientConfig
from pytupli_registry.environments.consents import ConsentStore
from pytupli_registry.environments.entry_points import is_module_name, lies_within
from pytupli_registry.errors import EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Permissions"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Permissions:
    """What may run.

    Attributes:
        allowed_modules: prefixes; ``acme`` allows ``acme`` and everything below it, and nothing shipped as data.
        consents: SHA-256 of code, and of files that can hold code, that the user agreed to run.

    Raises:
        EnvironmentRefused: something given is no module name, or no hash.
    """

    allowed_modules: tuple[str, ...] = ()
    consents: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for prefix in self.allowed_modules:
            if not is_module_name(prefix):
                raise EnvironmentRefused(
                    f"{prefix!a:.120} is no module that could be allowed.",
                    hint="Allow modules by name: 'acme' allows acme and everything below it.",
                )
        for consent in self.consents:
            if _SHA256.fullmatch(consent) is None:
                raise EnvironmentRefused(
                    f"{consent!a:.120} is no hash that could be consented to.",
                    hint="Consent names the whole SHA-256, 64 hexadecimal digits.",
                )

    @classmethod
    def from_environment(cls, allow: Iterable[str] = (), consent: Iterable[str] = ()) -> Permissions:
        """Join what a call allows with ``PYTUPLI_ALLOWED_MODULES`` and the consents remembered on this machine.

        Raises:
            EnvironmentRefused: something given is no module name, or no hash.
            FormatError: the file of remembered consents cannot be read; it never counts as consent then.
        """
        config = ClientConfig.from_environment()
        remembered = ConsentStore(config.config_path).list()
        return cls(
            tuple(dict.fromkeys((*_texts(allow), *config.allowed_modules))),
            frozenset(digest.lower() for digest in _texts(consent)) | {entry.sha256 for entry in remembered},
        )

    def prefix_of(self, module: str) -> str | None:
        """Return the allowed prefix that a module lies within, or None."""
        return next((prefix for prefix in self.allowed_modules if lies_within(module, prefix)), None)


def _texts(given: Iterable[str]) -> tuple[str, ...]:
    """A single text is one name, not its letters."""
    return (given,) if isinstance(given, str) else tuple(given)
