"""Spaces in ``benchmark.json``: Minari's JSON, but strictly JSON, and short.

Minari writes every component of a bound and ``Infinity`` as a bare word. Here infinity is a text, so that every JSON
reader takes the file, and a bound that is the same everywhere is one number, so that an image's space is one line.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.spaces import LeafSpace, from_gymnasium, leaf_spaces, to_gymnasium

if TYPE_CHECKING:
    from collections.abc import Mapping

    import gymnasium

__all__ = ["compacted", "describe_space", "expanded", "same_space", "space_of"]

_WORDS = {"Infinity": math.inf, "-Infinity": -math.inf}
_MAX_DEPTH = 64


def describe_space(space: gymnasium.Space[Any]) -> dict[str, Any]:
    """Return a Gymnasium space as ``benchmark.json`` keeps it.

    Raises:
        SpaceError: Minari has no way to keep a space of this kind.
    """
    return compacted(from_gymnasium(space))


def space_of(description: Mapping[str, Any]) -> gymnasium.Space[Any]:
    """Build the Gymnasium space.

    Raises:
        SpaceError: the description is malformed.
    """
    return to_gymnasium(expanded(description))


def same_space(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two descriptions, each in either form, are of the same space; Gymnasium is not needed.

    Raises:
        SpaceError: a description is malformed.
    """
    ours, theirs = leaf_spaces(expanded(first), "space"), leaf_spaces(expanded(second), "space")
    return ours.keys() == theirs.keys() and all(_same_leaf(leaf, theirs[path]) for path, leaf in ours.items())


def _same_leaf(first: LeafSpace, second: LeafSpace) -> bool:
    if (first.kind, first.dtype, first.shape) != (second.kind, second.dtype, second.shape):
        return False
    one, other = first.description, second.description
    match first.kind:
        case "Box":
            return not math.prod(first.shape) or all(
                _same_bound(one[bound], other[bound]) for bound in ("low", "high")
            )
        case "Discrete":
            return (int(one["n"]), int(one.get("start") or 0)) == (
                int(other["n"]),
                int(other.get("start") or 0),
            )
        case "MultiDiscrete":
            return np.array_equal(one["nvec"], other["nvec"]) and np.array_equal(_starts(one), _starts(other))
        case "Text":
            return _texts(one) == _texts(other)
        case _:  # MultiBinary is all shape
            return True


def _same_bound(first: Any, second: Any) -> bool:  # noqa: ANN401 - numbers, or nested lists of them
    return bool(np.all(np.asarray(first) == np.asarray(second)))  # one of the two may be a single number


def _starts(description: Mapping[str, Any]) -> Any:  # noqa: ANN401 - nested lists of integers
    given = description.get("start")
    return np.zeros_like(description["nvec"]) if given is None else given


def _texts(description: Mapping[str, Any]) -> tuple[int, int, frozenset[str]]:
    return (
        int(description.get("min_length", 1)),
        int(description["max_length"]),
        frozenset(description["charset"]),
    )


def compacted(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return Minari's description in the form of ``benchmark.json``."""
    short: dict[str, Any] = {}
    for key, value in description.items():
        if key == "subspaces":
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            made = {name: compacted(part) for name, part in parts}
            short[key] = made if isinstance(value, dict) else list(made.values())
        elif key in {"low", "high"}:
            short[key] = _short_bound(value)
        else:
            short[key] = value
    return short


def expanded(description: Any, depth: int = 0) -> Any:  # noqa: ANN401 - a description from a file, not yet checked
    """Return a description from ``benchmark.json`` in Minari's form; what is malformed stays so, for others to refuse."""
    if depth > _MAX_DEPTH or not isinstance(description, dict):
        return description
    full = dict(description)
    for bound in ("low", "high"):
        if bound in full:
            full[bound] = _numbers(full[bound], depth)
    subspaces = full.get("subspaces")
    if isinstance(subspaces, dict):
        full["subspaces"] = {name: expanded(part, depth + 1) for name, part in subspaces.items()}
    elif isinstance(subspaces, list):
        full["subspaces"] = [expanded(part, depth + 1) for part in subspaces]
    return full


def _short_bound(values: Any) -> Any:  # noqa: ANN401 - a number or nested lists of them
    numbers = np.asarray(values)
    if numbers.size and bool(np.all(numbers == numbers.flat[0])):
        return _strict(numbers.flat[0].item())
    return _strict(values)


def _strict(values: Any) -> Any:  # noqa: ANN401
    if isinstance(values, list):
        return [_strict(value) for value in values]
    if isinstance(values, float) and math.isinf(values):
        return "Infinity" if values > 0 else "-Infinity"
    return values


def _numbers(values: Any, depth: int) -> Any:  # noqa: ANN401
    if isinstance(values, list) and depth <= _MAX_DEPTH:
        return [_numbers(value, depth + 1) for value in values]
    return _WORDS.get(values, values) if isinstance(values, str) else values
