"""References to datasets and benchmarks: parsed once, never concatenated.

``[scheme://][namespace/…/]benchmark[@revision][/dataset-vN]``, for example ``cartpole/mixed-v0``,
``acme/hvac@main/summer-v0`` or ``local://D4RL/door/human-v2``. Without the revision the text is a Minari
dataset id, and that is what :attr:`Reference.dataset_id` gives back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pytupli_registry.errors import InvalidReference

__all__ = ["Reference", "Scheme"]

Scheme = Literal["local", "hf"]

# Minari joins ids into paths, the Hub caps names at 96 characters: this is what both accept.
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,95}")
_DATASET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,88}-v(?P<version>\d{1,6})")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


@dataclass(frozen=True, slots=True)
class Reference:
    """One dataset, or one benchmark when ``dataset`` is None.

    Attributes:
        scheme: ``"local"`` or ``"hf"``; None means the local store first, then the Hub.
        namespace: the parts before the dataset's name: ``("acme", "hvac")``, ``("cartpole",)`` or ``()``.
        dataset: ``"summer-v0"``, or None for a benchmark as a whole.
        revision: branch, tag or commit, or None for the default one.
    """

    scheme: Scheme | None
    namespace: tuple[str, ...]
    dataset: str | None
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse a reference.

        Raises:
            InvalidReference: it has an unknown scheme, an empty or unsafe part, or more than one revision.
        """
        scheme, rest = _split_scheme(text)
        path, revision = _split_revision(text, rest)
        segments = path.split("/")
        for segment in segments:
            if not _SEGMENT.fullmatch(segment):
                raise InvalidReference(
                    text,
                    f"{segment!r} is not a name",
                    hint="Names consist of letters, digits, '-' and '_', at most 96 of them.",
                )
        if _DATASET.fullmatch(segments[-1]):
            return cls(scheme, tuple(segments[:-1]), segments[-1], revision)
        return cls(scheme, tuple(segments), None, revision)

    @classmethod
    def parse_dataset(cls, text: str) -> Reference:
        """Parse a reference that must name a dataset.

        Raises:
            InvalidReference: as :meth:`parse`, or there is no ``name-vN`` at the end.
        """
        reference = cls.parse(text)
        if reference.dataset is None:
            raise InvalidReference(
                text, "it names no dataset", hint="Dataset names end in a version, as in 'cartpole/mixed-v0'."
            )
        return reference

    @property
    def dataset_id(self) -> str:
        """Minari's dataset id, ``namespace/name-vN``.

        Raises:
            InvalidReference: the reference names a benchmark, not a dataset.
        """
        if self.dataset is None:
            raise InvalidReference(str(self), "it names no dataset")
        return "/".join((*self.namespace, self.dataset))

    def __str__(self) -> str:
        prefix = f"{self.scheme}://" if self.scheme else ""
        # The revision follows the benchmark; a dataset without one carries it itself.
        first, *rest = filter(None, ("/".join(self.namespace), self.dataset))
        revision = f"@{self.revision}" if self.revision else ""
        return prefix + "/".join([f"{first}{revision}", *rest])


def _split_scheme(text: str) -> tuple[Scheme | None, str]:
    scheme, separator, rest = text.partition("://")
    if not separator:
        return None, text
    if scheme == "local":
        return "local", rest
    if scheme == "hf":
        return "hf", rest
    raise InvalidReference(text, f"the scheme {scheme!r} is unknown", hint="Use 'local://' or 'hf://'.")


def _split_revision(text: str, rest: str) -> tuple[str, str | None]:
    before, separator, after = rest.partition("@")
    if not separator:
        return rest, None
    revision, slash, dataset = after.partition("/")
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise InvalidReference(text, f"{revision!r} is not a revision")
    return before + slash + dataset, revision
