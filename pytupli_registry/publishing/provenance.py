"""``provenance.json``: what was done to a repository, by whom, when, with what, and out of which data."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self

from pytupli_registry.errors import FormatError, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FILE_NAME", "Provenance", "Step", "versions"]

FILE_NAME = "provenance.json"

_FORMAT = "pytupli-provenance"
_VERSION = 1
_LARGEST = 64 << 20
_DISTRIBUTIONS = ("pytupli-registry", "gymnasium", "minari", "numpy")


def versions() -> dict[str, str]:
    """Return the versions that matter to recorded data, of what is installed here."""
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done.

    Attributes:
        action: ``publish``, ``append``, ``merge`` or ``index``.
        dataset: its path in the repository; None for the benchmark itself.
        by: name of the user on the Hub.
        at: when, in UTC, as ISO 8601.
        data: hash, size, episodes and steps of the data file that came of it.
        sources: what the data was made of: ids, hashes, commits, filters, recipes.
        versions: of the software it was done with.
    """

    action: str
    dataset: str | None
    by: str
    at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    data: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[Mapping[str, Any], ...] = ()
    versions: Mapping[str, str] = field(default_factory=versions)

    @classmethod
    def read(cls, said: object) -> Self:
        """Take a step out of the file.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(said, dict):
            raise ValueError("a step is no object")  # noqa: TRY004 - the file is wrong, not a program
        texts = [said.get(key) for key in ("action", "by", "at")]
        dataset, data, sources, known = (said.get(key) for key in ("dataset", "data", "sources", "versions"))
        if (
            not all(isinstance(text, str) for text in texts)
            or not isinstance(dataset, str | None)
            or not isinstance(data, dict)
            or not isinstance(known, dict)
            or not isinstance(sources, list)
            or not all(isinstance(source, dict) for source in sources)
        ):
            raise ValueError("a step lacks a key, or has one of another type")
        action, by, at = map(str, texts)
        return cls(action, dataset, by, at, data, tuple(sources), known)

    def plain(self) -> dict[str, Any]:
        """Return the step as JSON can hold it."""
        return {
            "action": self.action,
            "dataset": self.dataset,
            "by": self.by,
            "at": self.at,
            "data": dict(self.data),
            "sources": [dict(source) for source in self.sources],
            "versions": dict(self.versions),
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the file says.

    Attributes:
        steps: the oldest first.
        card: SHA-256 of what was written by hand in the card when it was last published.
    """

    steps: tuple[Step, ...] = ()
    card: str | None = None

    @classmethod
    def read(cls, content: bytes | None) -> Self:
        """Read the file, or begin one.

        Raises:
            FormatError: it is malformed.
            UnsupportedFormat: a later release wrote it.
        """
        if content is None:
            return cls()
        try:
            said = json.loads(content)
            if not isinstance(said, dict) or said.get("format") != _FORMAT:
                raise FormatError(FILE_NAME, f"its 'format' is not {_FORMAT!r}")
            if said.get("format_version") != _VERSION:
                raise UnsupportedFormat(
                    FILE_NAME,
                    f"it is of format version {said.get('format_version')!r:.40}",
                    hint="Upgrade: `pip install --upgrade pytupli-registry`.",
                )
            card = said.get("card")
            steps = tuple(Step.read(step) for step in said["steps"])
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise FormatError(FILE_NAME, f"it cannot be read ({error!s:.120})") from error
        return cls(steps, card if isinstance(card, str) else None)

    def of(self, dataset: str | None) -> Iterator[Step]:
        """Yield what was done to a dataset, or to the benchmark."""
        return (step for step in self.steps if step.dataset == dataset)

    def with_steps(self, *steps: Step) -> Provenance:
        """Return the provenance after some more steps."""
        return replace(self, steps=(*self.steps, *steps))

    def to_json(self) -> bytes:
        """Return the content of the file."""
        said = {
            "format": _FORMAT,
            "format_version": _VERSION,
            "card": self.card,
            "steps": [step.plain() for step in self.steps],
        }
        return json.dumps(said, indent=1, ensure_ascii=False).encode() + b"\n"
