"""Gymnasium's own wrappers that data may ask for: those that take plain arguments and only change what is passed on.

Not among them: whatever takes a function, writes files, opens windows or needs another library's arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.environments.plan import shown_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import gymnasium

__all__ = ["accepted_arguments", "argument_problem", "multiplied", "own_wrapper"]

_NAMES = frozenset(
    {
        "AddRenderObservation",
        "AtariPreprocessing",
        "ClipAction",
        "ClipReward",
        "DelayObservation",
        "DiscretizeAction",
        "DiscretizeObservation",
        "DtypeObservation",
        "FilterObservation",
        "FlattenObservation",
        "FrameStackObservation",
        "GrayscaleObservation",
        "MaxAndSkipObservation",
        "NormalizeObservation",
        "NormalizeReward",
        "OrderEnforcing",
        "PassiveEnvChecker",
        "RecordEpisodeStatistics",
        "RescaleAction",
        "RescaleObservation",
        "ReshapeObservation",
        "ResizeObservation",
        "StickyAction",
        "TimeAwareObservation",
        "TimeLimit",
    }
)
# The largest number each argument may hold: these multiply memory or time.
_MOST = {
    "bins": 100_000,
    "buffer_length": 1_000_000,
    "delay": 10_000,
    "frame_skip": 1000,
    "noop_max": 1000,
    "screen_size": 4096,
    "shape": 4096,
    "skip": 1000,
    "stack_size": 1000,
}
_ENOUGH = 1_000_000  # whatever is larger is refused anyway
_DTYPES = frozenset(
    {
        "bool",
        "float16",
        "float32",
        "float64",
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    }
)
# AddRenderObservation of Gymnasium 1.0 records its arguments under names that its constructor does not take.
_RECORDED_AS = {"AddRenderObservation": {"pixels_only": "render_only", "pixels_key": "render_key"}}


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How Gymnasium's ``EnvSpec`` and people write the entry point of a wrapper."""

    recorded: str
    public: str


def own_wrapper(entry_point: str) -> type[gymnasium.Wrapper[Any, Any, Any, Any]] | None:
    """Return the class that an entry point names if it is one of those that data may ask for."""
    from gymnasium import wrappers  # noqa: PLC0415 - loading data must not cost Gymnasium's import

    name = entry_point.rpartition(":")[2]
    found: type[gymnasium.Wrapper[Any, Any, Any, Any]] | None = vars(wrappers).get(name)
    if name not in _NAMES or found is None:
        return None
    spelling = _Spelling(f"{found.__module__}:{found.__qualname__}", f"gymnasium.wrappers:{name}")
    return found if entry_point in {spelling.recorded, spelling.public} else None


def argument_problem(entry_point: str, kwargs: Mapping[str, Any]) -> str | None:
    """Say which argument of one of these wrappers is out of bounds, or return None."""
    wrapper = entry_point.rpartition(":")[2]
    for name, value in kwargs.items():
        if name == "dtype" and wrapper == "DtypeObservation":
            if _dtype(value) is None:
                return f"{name}={shown_value(value)} is no numeric dtype"
        elif name in _MOST and _largest(value) > _MOST[name]:
            return f"{name}={shown_value(value)} is more than {_MOST[name]}"
    return None


def multiplied(all_kwargs: Iterable[Mapping[str, Any]]) -> int:
    """Return by how much wrappers around each other multiply memory and time: by the product of their numbers."""
    product = 1
    for kwargs in all_kwargs:
        for name in ("stack_size", "skip", "frame_skip"):
            value = kwargs.get(name)
            if isinstance(value, int | np.integer):
                product *= min(max(int(value), 1), _ENOUGH)
    return product


def accepted_arguments(entry_point: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the wrapper's constructor takes them.

    JSON knows neither tuples nor dtypes, and Gymnasium is strict about both.
    """
    wrapper = entry_point.rpartition(":")[2]
    renamed = _RECORDED_AS.get(wrapper, {})
    accepted = {renamed.get(name, name): value for name, value in kwargs.items()}
    if wrapper == "DtypeObservation" and "dtype" in accepted:
        accepted["dtype"] = _dtype(accepted["dtype"])
    for name in ("shape", "screen_size"):
        if isinstance(accepted.get(name), list):
            accepted[name] = tuple(accepted[name])
    return accepted


def _dtype(value: object) -> type[np.generic] | None:
    name = value.__name__ if isinstance(value, type) and issubclass(value, np.generic) else value
    if isinstance(value, np.dtype):
        name = value.name
    return np.dtype(name).type if isinstance(name, str) and name.rstrip("_") in _DTYPES else None


def _largest(value: object) -> float:
    if isinstance(value, np.ndarray):
        return float(value.max()) if value.size and value.dtype.kind in "iuf" else 0.0
    if isinstance(value, np.number):
        return float(value.real)
    if isinstance(value, list | tuple):
        return max((_largest(part) for part in value), default=0.0)
    return value if isinstance(value, int | float) else 0.0
