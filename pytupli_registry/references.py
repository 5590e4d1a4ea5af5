"""References to datasets and benchmarks: parsed once, never concatenated.

``[scheme://][namespace/…/]benchmark[@revision][/dataset-vN][#view]``, for example ``cartpole/mixed-v0``,
``acme/hvac@main/summer-v0``, ``local://D4RL/door/human-v2`` or ``acme/hvac/summer-v0#expert-july``. Without revision
and view the text is a Minari dataset id, and that is what :attr:`Reference.dataset_id` gives back. On a Hub the
first two parts are the repository, and the rest is the dataset's path in it.

A slash in a revision is written ``%2F``, as in the Hub's own addresses: ``acme/hvac@feature%2Fx/summer-v0``. Only the
Hub's own ``refs/pr/1`` and ``refs/convert/parquet`` may stand as they are, as in ``HfFileSystem``: after ``@``, they are
always taken for that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from pytupli_registry.errors import InvalidReference

__all__ = ["Reference", "Scheme"]

Scheme = Literal["local", "hf"]

# Minari joins ids into paths, the Hub caps names at 96 characters: this is what both accept.
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,95}")
_DATASET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,88}-v(?P<version>\d{1,6})")
# What stands after '@', before it is decoded: a '%' begins an escape, always.
_WRITTEN_REVISION = re.compile(r"(?:[^/@%]|%[0-9A-Fa-f]{2}){1,765}")
_SPECIAL_REVISION = re.compile(r"refs/(?:pr/[0-9]{1,18}|convert/[A-Za-z0-9_]{1,200})(?=/|\Z)")
_LONGEST_REVISION = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """One dataset, or one benchmark when ``dataset`` is None.

    Attributes:
        scheme: ``"local"`` or ``"hf"``; None means the local store first, then the Hub.
        namespace: the parts before the dataset's name: ``("acme", "hvac")``, ``("cartpole",)`` or ``()``.
        dataset: ``"summer-v0"``, or None for a benchmark as a whole.
        revision: branch, tag or commit, decoded (``"feature/x"``), or None for the default one.
        view: name of a saved view of the dataset, or None for all of it.
    """

    scheme: Scheme | None
    namespace: tuple[str, ...]
    dataset: str | None
    revision: str | None = None
    view: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse a reference.

        Raises:
            InvalidReference: it has an unknown scheme, an empty or unsafe part, more than one revision, or a view of
                something else than a dataset.
        """
        scheme, rest = _split_scheme(text)
        rest, view = _split_view(text, rest)
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
            return cls(scheme, tuple(segments[:-1]), segments[-1], revision, view)
        if view is not None:
            raise InvalidReference(text, "only a dataset has views", hint="As in 'acme/hvac/summer-v0#july'.")
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

    @classmethod
    def parse_repository(cls, text: str) -> Reference:
        """Parse a reference that must name a repository of a Hub, as a whole.

        Raises:
            InvalidReference: as :meth:`parse`, or it names less, or something in it.
        """
        reference = cls.parse(text)
        if reference.path_in_repo:
            raise InvalidReference(
                text,
                "it names more than a repository",
                hint=f"Write it like this: {reference.repo!r}; a '/' in a revision is written %2F, as in '@feature%2Fx'.",
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

    @property
    def repo(self) -> str:
        """The repository on a Hub, ``acme/hvac``.

        Raises:
            InvalidReference: the reference has too few parts to name one.
        """
        parts = self.namespace[:2]
        if len(parts) < 2:
            raise InvalidReference(
                str(self),
                "it names no repository on a Hub",
                hint="There it begins with an organization and a benchmark, as in 'acme/hvac/summer-v0'.",
            )
        return "/".join(parts)

    @property
    def path_in_repo(self) -> str:
        """Where the dataset lies in its repository, ``summer-v0``; empty for a benchmark as a whole.

        Raises:
            InvalidReference: as :attr:`repo`.
        """
        named = len(self.repo.split("/"))
        return "/".join((*self.namespace[named:], *filter(None, (self.dataset,))))

    def __str__(self) -> str:
        prefix = f"{self.scheme}://" if self.scheme else ""
        # The revision follows the benchmark; a dataset without one carries it itself.
        first, *rest = filter(None, ("/".join(self.namespace), self.dataset))
        revision = f"@{_encoded(self.revision)}" if self.revision else ""
        view = f"#{self.view}" if self.view else ""
        return prefix + "/".join([f"{first}{revision}", *rest]) + view


def _split_scheme(text: str) -> tuple[Scheme | None, str]:
    scheme, separator, rest = text.partition("://")
    if not separator:
        return None, text
    if scheme == "local":
        return "local", rest
    if scheme == "hf":
        return "hf", rest
    raise InvalidReference(text, f"the scheme {scheme!r} is unknown", hint="Use 'local://' or 'hf://'.")


def _split_view(text: str, rest: str) -> tuple[str, str | None]:
    before, separator, view = rest.partition("#")
    if separator and not _SEGMENT.fullmatch(view):
        raise InvalidReference(
            text, f"{view!r} is no name of a view", hint="Names consist of letters, digits, '-' and '_'."
        )
    return before, view if separator else None


def _split_revision(text: str, rest: str) -> tuple[str, str | None]:
    before, separator, after = rest.partition("@")
    if not separator:
        return rest, None
    special = _SPECIAL_REVISION.match(after)
    written = special[0] if special else after.partition("/")[0]
    revision = _decoded(written)
    if revision is None:
        raise InvalidReference(
            text,
            f"{written!r} is not a revision",
            hint="A revision is a branch, a tag or a commit; a '/' in it is written %2F, as in '@feature%2Fx', "
            "and a '%' is written %25.",
        )
    return before + after[len(written) :], revision


def _encoded(revision: str) -> str:
    return revision if _SPECIAL_REVISION.fullmatch(revision) else quote(revision, safe="")


def _decoded(written: str) -> str | None:
    if _SPECIAL_REVISION.fullmatch(written):
        return written
    if not _WRITTEN_REVISION.fullmatch(written):
        return None
    try:
        revision = unquote(written, errors="strict")
    except UnicodeDecodeError:
        return None
    return revision if _is_ref_name(revision) else None


def _is_ref_name(name: str) -> bool:
    """Tell whether git could have a branch or tag of that name (the rules of ``git check-ref-format``)."""
    return (
        len(name) <= _LONGEST_REVISION
        and not name.startswith("-")
        and not name.endswith(".")
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in name.split("/"))
        and not any(signs in name for signs in ("..", "@{"))
        and not any(sign in " ~^:?*[\\" or not sign.isprintable() for sign in name)
        and name != "@"
    )
