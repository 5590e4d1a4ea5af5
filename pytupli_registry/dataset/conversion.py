"""Adapters: named ways of turning a dataset into another library's own type."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

from pytupli_registry.errors import AdapterError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ADAPTER_GROUP", "adapter_names", "find_adapter"]

ADAPTER_GROUP = "pytupli_registry.adapters"


def adapter_names() -> list[str]:
    """Return the names that installed distributions registered under the entry point group, sorted."""
    return sorted({point.name for point in entry_points(group=ADAPTER_GROUP)})


def find_adapter(name: str) -> Callable[..., Any]:
    """Return the adapter of that name: a callable that takes a dataset first and options by keyword.

    Raises:
        AdapterError: nothing installed provides it, or what provides it cannot be imported.
    """
    points = list(entry_points(group=ADAPTER_GROUP, name=name))
    if not points:
        known = adapter_names()
        hint = (
            did_you_mean(name, known) or f"Installed: {', '.join(known)}. Plugins add more: pytupli-{name}?"
        )
        raise AdapterError(f"There is no adapter {name!r}.", hint=hint)
    try:
        return cast("Callable[..., Any]", points[0].load())
    except (ImportError, AttributeError) as error:  # no such module; no such name in it
        raise AdapterError(f"The adapter {name!r} cannot be imported: {error}.") from error
