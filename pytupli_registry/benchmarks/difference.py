"""What tells two benchmarks apart, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytupli_registry.benchmarks.specification import BenchmarkSpecification

__all__ = ["Difference", "differences"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that two benchmarks do not share.

    Attributes:
        where: the key, as ``environment.kwargs.step_minutes``.
        first: the first benchmark's value, or None where it has none.
        second: likewise.
        kind: ``added``, ``removed`` or ``changed``, seen from the first.
    """

    where: str
    first: Any
    second: Any
    kind: str


def differences(first: BenchmarkSpecification, second: BenchmarkSpecification) -> tuple[Difference, ...]:
    """Return what differs, in the order of the keys; artifacts and datasets are compared by their hashes."""
    return tuple(_compare("", first.model_dump(mode="json"), second.model_dump(mode="json")))


def _compare(where: str, first: Any, second: Any) -> Iterator[Difference]:  # noqa: ANN401 - any JSON
    if isinstance(first, dict) and isinstance(second, dict):
        for key in {**first, **second}:
            place = f"{where}.{key}" if where else key
            if key not in second:
                yield Difference(place, first[key], None, "removed")
            elif key not in first:
                yield Difference(place, None, second[key], "added")
            else:
                yield from _compare(place, first[key], second[key])
    elif type(first) is not type(second) or first != second:
        yield Difference(where, first, second, "changed")
