"""Spaces in Minari's JSON, described in a few words: kind, shape and dtype, without their bounds' arrays."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from pytupli_registry.server.wire.front_matter import clean

__all__ = ["describe_space", "space_kind"]

_MOST_CHARACTERS = 1 << 18
_MOST_SPACES = 64
_DEEPEST = 8
_MOST_AXES = 32
# Bounds of images are long lists of numbers, of which nothing is shown. Nothing but numbers and lists of them can
# stand between the first bracket and the last one of such a run.
_NUMBERS = re.compile(r"\[[0-9eE+\-.,\s\[\]NaInfty]{4096,}+")
_KIND = re.compile(r"[A-Za-z]{1,32}")
_DTYPE = re.compile(r"[a-z]{1,10}[0-9]{0,3}")


def describe_space(text: object) -> dict[str, Any] | None:
    """Return a short description of a space, or None if it is none, or more than is read.

    Args:
        text: the space as ``metadata.json`` has it: JSON inside a string (or an object).
    """
    if isinstance(text, str):
        shortened = _NUMBERS.sub(_without_numbers, text)
        if len(shortened) > _MOST_CHARACTERS:
            return None
        try:
            text = json.loads(shortened)
        except (ValueError, RecursionError):
            return None
    budget = iter(range(_MOST_SPACES))
    return _described(text, _DEEPEST, budget)


def _without_numbers(found: re.Match[str]) -> str:
    run = found[0]
    end = run.rindex("]") + 1 if "]" in run else 0
    return "[]" + run[end:] if end else run


def space_kind(described: dict[str, Any] | None) -> str | None:
    """Return the outermost type, such as ``Box``, ``Discrete`` or ``Dict``."""
    return None if described is None else str(described["type"])


def _described(space: object, depth: int, budget: Iterator[int]) -> dict[str, Any] | None:
    if not isinstance(space, dict) or depth == 0 or next(budget, None) is None:
        return None
    kind = space.get("type")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        return None
    found: dict[str, Any] = {"type": kind}
    if isinstance(space.get("dtype"), str) and _DTYPE.fullmatch(space["dtype"]):
        found["dtype"] = space["dtype"]
    for name in ("shape", "nvec"):
        if _is_shape(space.get(name)):
            found[name] = space[name]
    for name in ("n", "start", "low", "high", "min_length", "max_length"):
        number = _number(space.get(name))
        if number is not None:
            found[name] = number
    below = _below(space.get("subspaces"), depth - 1, budget)
    return found if below is None else {**found, "subspaces": below}


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MOST_AXES
        and all(isinstance(extent, int) and 0 <= extent < 1 << 53 for extent in value)
    )


def _number(value: object) -> float | None:
    """Return a number; of a list of numbers the one that all are."""
    if isinstance(value, list):
        value = value[0] if value and all(one == value[0] for one in value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e300 and math.isfinite(value) else None


def _below(subspaces: object, depth: int, budget: Iterator[int]) -> dict[str, Any] | list[Any] | None:
    if isinstance(subspaces, dict):
        return {
            clean(name)[:100]: described
            for name, space in subspaces.items()
            if (described := _described(space, depth, budget)) is not None
        }
    if isinstance(subspaces, list):
        found = (_described(space, depth, budget) for space in subspaces)
        return [described for described in found if described is not None]
    return None
