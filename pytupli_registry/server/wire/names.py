"""Names of repositories, accounts, branches and paths, checked once at the door."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from pytupli_registry.server.errors import BadRequest, RepoNotFound, RevisionNotFound, Unprocessable

__all__ = [
    "COMMIT_ID",
    "RepoId",
    "RepoType",
    "check_account_name",
    "check_path",
    "check_ref_name",
    "check_repo_name",
    "check_revision",
    "key_of",
]

COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_DRIVE = re.compile(r"[A-Za-z]:")
_FORBIDDEN = ("--", "..")
_LONGEST_NAME = 96
_LONGEST_PATH = 1024
_LONGEST_PART = 255
_LONGEST_REF = 200
_DEEPEST = 64

# The paths of the web pages and of the protocol: an account of that name could never be reached.
RESERVED = frozenset(
    "api datasets models spaces settings oauth login logout join xet lfs health ready metrics static new "
    "organizations users docs admin resolve raw blob tree v1 v2 assets notifications search None null".lower().split()
)


class RepoType(StrEnum):
    """The three kinds of repository, in the singular as bodies carry them."""

    DATASET = "dataset"
    MODEL = "model"
    SPACE = "space"

    @property
    def plural(self) -> str:
        """The word in API paths: ``datasets``."""
        return f"{self.value}s"

    @property
    def prefix(self) -> str:
        """What stands before the id in a repository's own URL: ``datasets/``; nothing for models."""
        return "" if self is RepoType.MODEL else f"{self.plural}/"


@dataclass(frozen=True, slots=True)
class RepoId:
    """Which repository is meant: type, owner's name and own name, as written."""

    type: RepoType
    namespace: str
    name: str

    @classmethod
    def parse(cls, type_: RepoType, text: str) -> RepoId:
        """Split ``namespace/name``.

        Raises:
            RepoNotFound: it is no id, so there can be no such repository.
        """
        namespace, slash, name = text.partition("/")
        if not slash or not _is_name(namespace) or not _is_name(name):
            raise RepoNotFound("Repository not found")
        return cls(type_, namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def key_of(name: str) -> str:
    """Return the form under which names are compared: the Hub ignores case."""
    return name.lower()


def _is_name(text: str) -> bool:
    return (
        len(text) <= _LONGEST_NAME
        and _NAME.fullmatch(text) is not None
        and not any(sign in text for sign in _FORBIDDEN)
        and not text.endswith(".git")
    )


def check_repo_name(name: str) -> str:
    """Return ``name`` if a repository may have it.

    Raises:
        BadRequest: with the rule that it breaks.
    """
    if not _is_name(name):
        raise BadRequest(
            f"{name[:100]!r} is not a repository name: use at most 96 letters, digits, '-', '_' and '.', "
            "without '--' or '..', neither beginning nor ending with '-' or '.', and not ending with '.git'."
        )
    return name


def check_account_name(name: str) -> str:
    """Return ``name`` if a user or an organization may have it.

    Raises:
        BadRequest: it breaks a rule, or the Hub needs the name for itself.
    """
    if not _is_name(name) or "." in name:
        raise BadRequest(
            f"{name[:100]!r} is not an account name: use at most 96 letters, digits, '-' and '_', "
            "without '--', neither beginning nor ending with '-'."
        )
    if key_of(name) in RESERVED:
        raise BadRequest(f"The name {name!r} is reserved. Choose another one.")
    return name


def check_ref_name(name: str) -> str:
    """Return ``name`` if a branch or a tag may have it (the rules of ``git check-ref-format``).

    Raises:
        BadRequest: it breaks a rule.
    """
    parts = name.split("/")
    bad = (
        not name
        or len(name) > _LONGEST_REF
        or name.startswith(("refs/", "-"))
        or name == "@"
        or name.endswith(".")
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
        or any(sign in name for sign in ("..", "@{", "\\"))
        or any(sign in " ~^:?*[" or not sign.isprintable() for sign in name)
    )
    if bad:
        raise BadRequest(f"Invalid reference for a branch or tag: {name[:100]!r}.")
    return name


def check_revision(text: str) -> str:
    """Return ``text`` if it can name a revision.

    Raises:
        RevisionNotFound: it cannot, so there is none.
    """
    if not text or len(text) > _LONGEST_REF + len("refs/heads/") or not text.isprintable():
        raise RevisionNotFound(f"Invalid rev id: {text[:100]!r}.")
    return text


def check_path(path: str) -> str:
    """Return ``path`` if a file may lie there: relative, normal, and safe to write by every client.

    Backslashes are letters to git and to the Hub, whose clients refuse themselves to climb with them; a path
    that begins by climbing is refused, and so is a component that Windows takes for the beginning of a path.

    Raises:
        Unprocessable: the rule that it breaks.
    """
    problem = _problem_of_path(path)
    if problem:
        raise Unprocessable(f"Invalid path {path[:200]!r}: {problem}.")
    return path


def _problem_of_path(path: str) -> str | None:
    if not path or len(path.encode("utf-8", "replace")) > _LONGEST_PATH:
        return f"it must have 1 to {_LONGEST_PATH} bytes"
    if path.startswith("..\\"):
        return "it may not begin with '..\\'"
    parts = path.split("/")
    if len(parts) > _DEEPEST:
        return f"it has more than {_DEEPEST} levels"
    for part in parts:
        problem = _problem_of_part(part)
        if problem:
            return problem
    return None


def _problem_of_part(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "it must be relative and may not have empty, '.' or '..' components"
    if part.startswith("\\") or _DRIVE.match(part):  # on Windows, joined to any folder it lies outside of it
        return "a component may not begin with '\\' or a drive letter"
    if part.lower() == ".git":
        return "'.git' may not be a component"
    if len(part.encode("utf-8", "replace")) > _LONGEST_PART:
        return f"a component may not be longer than {_LONGEST_PART} bytes"
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in part):
        return "control characters are not allowed"
    return None
