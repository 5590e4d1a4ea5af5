"""One expression tree over episodes and steps, with one meaning everywhere.

Written as text (:func:`parse`), in Python (``episode.total_return >= 100``) or as JSON (:func:`from_json`, which
alone needs pydantic). docs/filters.md says what filters mean.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytupli_registry.filters.evaluate import select_episodes, select_steps
    from pytupli_registry.filters.expression import Expression
    from pytupli_registry.filters.fields import (
        Operand,
        all_,
        any_,
        ceil,
        contains,
        count,
        endswith,
        episode,
        exp,
        floor,
        isfinite,
        isnan,
        log,
        max_,
        mean,
        min_,
        sqrt,
        startswith,
        step,
        sum_,
    )
    from pytupli_registry.filters.text import parse
    from pytupli_registry.filters.wire import from_json, to_json

_HOMES = {
    "Expression": "expression",
    "Operand": "fields",
    "all_": "fields",
    "any_": "fields",
    "ceil": "fields",
    "contains": "fields",
    "count": "fields",
    "endswith": "fields",
    "episode": "fields",
    "exp": "fields",
    "floor": "fields",
    "from_json": "wire",
    "isfinite": "fields",
    "isnan": "fields",
    "log": "fields",
    "max_": "fields",
    "mean": "fields",
    "min_": "fields",
    "parse": "text",
    "select_episodes": "evaluate",
    "select_steps": "evaluate",
    "sqrt": "fields",
    "startswith": "fields",
    "step": "fields",
    "sum_": "fields",
    "to_json": "wire",
}

__all__ = [
    "Expression",
    "Operand",
    "all_",
    "any_",
    "ceil",
    "contains",
    "count",
    "endswith",
    "episode",
    "exp",
    "floor",
    "from_json",
    "isfinite",
    "isnan",
    "log",
    "max_",
    "mean",
    "min_",
    "parse",
    "select_episodes",
    "select_steps",
    "sqrt",
    "startswith",
    "step",
    "sum_",
    "to_json",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
