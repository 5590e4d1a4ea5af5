"""What people say of a benchmark, as the parts of ``benchmark.json``: taken, or refused in words of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from pytupli_registry.errors import ArtifactError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["checked", "names_of"]

_Model = TypeVar("_Model", bound=BaseModel)

# What pydantic says of its types is no help to somebody who passed a text for a list.
_WORDS = {
    "tuple_type": "it has to be a list",
    "dict_type": "it has to be a dict",
    "extra_forbidden": "there is no such field",
}


def checked(kind: type[_Model], facts: Mapping[str, Any], what: str) -> _Model:
    """Return the model of these facts.

    Args:
        kind: of the model.
        facts: its fields.
        what: it is, for messages: ``a benchmark``.

    Raises:
        ArtifactError: there is no such field, or a name, a text or a number is not what it has to be.
    """
    for name in facts:
        if name not in kind.model_fields:
            hint = did_you_mean(name, kind.model_fields) or f"There are: {', '.join(kind.model_fields)}."
            raise ArtifactError(f"{what.capitalize()} has no field {name!r:.80}.", hint=hint)
    try:
        return kind(**facts)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {_WORDS.get(problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False)
        )
        raise ArtifactError(f"This cannot be {what}: {problems:.1000}.") from error


def names_of(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names that were given: a single text is one name, and not as many as it has letters."""
    return (given,) if isinstance(given, str) else tuple(given)
