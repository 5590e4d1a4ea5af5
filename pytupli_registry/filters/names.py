"""What the names of a filter stand for in a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import FilterTypeError, UnknownField
from pytupli_registry.filters.expression import type_error
from pytupli_registry.filters.plan import ComponentPlan, FieldPlan, Kind, Plan, ReturnToGoPlan, StepNumberPlan
from pytupli_registry.filters.rows import Component
from pytupli_registry.filters.source import FieldValues
from pytupli_registry.filters.terms import Field, Key, Slice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytupli_registry.filters.source import FilterSource, StepLeaf

__all__ = ["STEP_FIELDS", "episode_field", "nothing", "step_field"]

_ALIASES = {"id": "episode_id"}
_OPTIONAL = (
    "seed",
    "recorded_at",
    "recorded_by",
    "policy",
)  # known fields, whether or not an episode has one
_TREES = {
    "observation": "observations",
    "next_observation": "observations",
    "action": "actions",
    "info": "infos",
}
_SCALARS = {"reward": "rewards", "terminated": "terminations", "truncated": "truncations"}
_AFTER = {"next_observation", "info"}  # of the step itself: the row after it, as `env.step` returns them
STEP_FIELDS = (*_TREES, *_SCALARS, "step", "return_to_go")


def episode_field(field: Field, source: FilterSource) -> Plan:
    """Return what a field stands for among the fields of an episode.

    Raises:
        UnknownField: no episode has it.
        FilterTypeError: it is a field of steps.
    """
    given, prefixed = _spelled(field.name, field.keys), field.name == "episode" and bool(field.keys)
    name = given.removeprefix("episode.") if prefixed else given
    name = _ALIASES.get(name, name)
    if not any(isinstance(key, Slice | int) for key in field.keys):
        if name in source.fields:
            return _of_facts(source.fields[name], field, source)
        if name in _OPTIONAL:
            return nothing(source)
    if not prefixed and field.name in STEP_FIELDS:
        raise _error(
            field,
            f"'{field}' has one value a step, not one an episode.",
            f"Wrap it: any({field} ...), all({field} ...), count(...), mean({field}), min, max or sum; or write "
            f"metadata.{given} for a fact of your own.",
        )
    if f"metadata.{name}" in source.fields:
        return _of_facts(source.fields[f"metadata.{name}"], field, source)
    raise _unknown(
        str(field).removeprefix("episode.") if prefixed else str(field), field, _episode_names(source)
    )


def _episode_names(source: FilterSource) -> list[str]:
    names = {*source.fields, *_OPTIONAL}
    return sorted(names | {name.removeprefix("metadata.") for name in names})


def _spelled(name: str, keys: Iterable[Key]) -> str:
    return ".".join([name, *map(str, keys)])


def nothing(source: FilterSource, shape: tuple[int, ...] = ()) -> FieldPlan:
    """Return a field that every episode lacks."""
    count = len(source.lengths)
    facts = FieldValues(np.full(count, None, dtype=object), np.ones(count, dtype=np.bool_))
    return FieldPlan(kind="none", shape=shape, facts=facts)


def _of_facts(facts: FieldValues, field: Field, source: FilterSource) -> Plan:
    values = facts.values
    if facts.missing is not None and bool(facts.missing.all()) and len(values):
        return nothing(source)
    kind = _kind(values.dtype, field)
    if kind in {"text", "float"}:
        return FieldPlan(kind=kind, facts=facts)
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    return FieldPlan(kind=kind, low=low, high=high, facts=facts)


def _kind(dtype: np.dtype[Any], field: Field) -> Kind:
    kinds: dict[str, Kind] = {
        "b": "bool",
        "i": "int",
        "u": "int",
        "f": "float",
        "O": "text",
        "U": "text",
        "T": "text",
    }
    if dtype.kind not in kinds:
        raise _error(field, f"'{field}' holds {dtype}, which filters cannot compare.")
    return kinds[dtype.kind]


def step_field(field: Field, source: FilterSource) -> Plan:
    """Return what a field stands for among the fields of a step.

    Raises:
        UnknownField: no step has it.
        FilterTypeError: it is a field of episodes, or no part of it that a filter could read.
    """
    if field.name == "episode" and field.keys:
        return episode_field(field, source)
    if field.name in _TREES:
        return _component(field, source, _TREES[field.name])
    if field.name in _SCALARS:
        return _component(field, source, _SCALARS[field.name])
    if field.name in {"step", "return_to_go"}:
        _no_keys(field)
        if field.name == "return_to_go":
            rewards = _component(Field("reward", place=field.place), source, "rewards")
            return ReturnToGoPlan(kind="float", exact=False, rewards=rewards.component)
        last = max(int(source.lengths.max(initial=0)) - 1, 0)
        return StepNumberPlan(kind="int", exact=False, low=0, high=last)
    return _not_of_steps(field, source)


def _not_of_steps(field: Field, source: FilterSource) -> Plan:
    given = _spelled(field.name, field.keys)
    if given in _episode_names(source) or given in _ALIASES:
        raise _error(
            field,
            f"{given!r} has one value an episode, not one a step.",
            f"Among steps write episode.{given}.",
        )
    known = [*STEP_FIELDS, *(f"episode.{name}" for name in _episode_names(source))]
    raise _unknown(str(field), field, known)


def _no_keys(field: Field) -> None:
    if field.keys:
        raise _error(field, f"{field.name!r} is one number a step and has no parts.")


def _component(field: Field, source: FilterSource, root: str) -> ComponentPlan:
    path, used = _leaf_path(field, source, root)
    leaf, index = source.leaves[path], _index(field.keys[used:], field)
    if leaf.dtype is None or not leaf.is_array:
        raise _error(field, f"'{field}' is kept in a form that filters cannot read (text, ragged or JPEG).")
    flag = field.name in {"terminated", "truncated"}
    kind: Kind = "bool" if flag else _kind(leaf.dtype, field)
    low, high = (0, 1) if kind == "bool" else _limits(leaf.dtype)
    component = Component(path, index, leaf.extra_row, int(bool(leaf.extra_row) and field.name in _AFTER))
    shape = _shape(field, leaf, component)
    return ComponentPlan(
        kind=kind, shape=shape, exact=False, low=low, high=high, component=component, flag=flag
    )


def _limits(dtype: np.dtype[Any]) -> tuple[int, int] | tuple[None, None]:
    if dtype.kind not in "iu":
        return None, None
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _leaf_path(field: Field, source: FilterSource, root: str) -> tuple[str, int]:
    """Follow names, and the numbers of tuple elements, down to a leaf."""
    path, used = root, 0
    while path not in source.leaves:
        children = _children(path, source)
        if not children and used == 0:
            raise _unknown(field.name, field, [name for name, at in _TREES.items() if _children(at, source)])
        if used == len(field.keys):
            names = ", ".join(_spelled_child(child) for child in children)
            raise _error(field, f"'{field}' has several parts.", f"Name one of {names}.")
        child = _child(field.keys[used], children)
        if child is None:
            known = [f"{field.name}.{one}" for one in children]
            raise _unknown(_spelled(field.name, field.keys[: used + 1]), field, known)
        path, used = f"{path}/{child}", used + 1
    return path, used


def _children(path: str, source: FilterSource) -> list[str]:
    below = (leaf[len(path) + 1 :] for leaf in source.leaves if leaf.startswith(f"{path}/"))
    return list(dict.fromkeys(rest.split("/", 1)[0] for rest in below))


def _child(key: Key, children: list[str]) -> str | None:
    if isinstance(key, Slice):
        return None
    if isinstance(key, int):
        key = f"_index_{key + len(children) if key < 0 else key}"
    return key if key in children else None


def _spelled_child(child: str) -> str:
    return f"[{child.removeprefix('_index_')}]" if child.startswith("_index_") else f"[{child!r}]"


def _index(keys: tuple[Key, ...], field: Field) -> tuple[int | Slice, ...]:
    for key in keys:
        if isinstance(key, str):
            raise _error(field, f"'{field}' has no part called {key!r}: it is numbers there.")
    return tuple(key for key in keys if not isinstance(key, str))


def _shape(field: Field, leaf: StepLeaf, component: Component) -> tuple[int, ...]:
    size = "×".join(map(str, leaf.row_shape)) or "one number"
    if len(component.index) > len(leaf.row_shape):
        raise _error(field, f"'{field}' has too many indices: a step holds {size}.")
    for axis, key in enumerate(component.index):
        extent = leaf.row_shape[axis]
        if isinstance(key, int) and not -extent <= key < extent:
            raise _error(field, f"'{field}' is outside what a step holds ({size}; counted from 0).")
    # Broadcasting one value to the shape costs no memory, whatever the shape.
    shape = component.of(np.broadcast_to(np.int8(0), (1, *leaf.row_shape))).shape[1:]
    if 0 in shape:
        raise _error(field, f"'{field}' selects nothing: a step holds {size}.")
    return shape


def _unknown(name: str, field: Field, known: Iterable[str]) -> UnknownField:
    place = field.place
    return UnknownField(
        name, known, text=place.text if place else None, position=place.position if place else None
    )


def _error(field: Field, message: str, hint: str | None = None) -> FilterTypeError:
    return type_error(message, field.place, hint)
