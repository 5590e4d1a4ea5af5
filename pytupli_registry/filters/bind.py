"""Resolving a filter against a dataset: names, then types, before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import FilterError, FilterTypeError
from pytupli_registry.filters.aggregates import OverComponentsPlan, OverStepsPlan
from pytupli_registry.filters.expression import And, Expression, Literal, Not, Or, type_error
from pytupli_registry.filters.names import episode_field, nothing, step_field
from pytupli_registry.filters.plan import (
    ArithmeticPlan,
    CallPlan,
    ComparisonPlan,
    ConstantPlan,
    IsNonePlan,
    JunctionPlan,
    Kind,
    Link,
    MembershipPlan,
    NegativePlan,
    NotPlan,
    Plan,
)
from pytupli_registry.filters.terms import (
    Aggregate,
    Arithmetic,
    Call,
    Comparison,
    Field,
    IsNone,
    Membership,
    Negative,
)
from pytupli_registry.filters.text import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytupli_registry.filters.source import FilterSource

__all__ = ["bind"]

_INT64 = range(-(2**63), 2**63)
_KINDS: dict[type, Kind] = {bool: "bool", int: "int", float: "float", str: "text"}
_WORDS = {"bool": "yes or no", "int": "a number", "float": "a number", "text": "text", "none": "nothing"}
_CONDITIONS = {"any", "all", "count"}


def bind(expression: Expression, source: FilterSource, *, steps: bool) -> Plan:
    """Return the plan of a filter over the steps or the episodes of a dataset.

    Raises:
        FilterError: a name is unknown, or types do not go together. The error points into the text the filter was
            parsed from, or else into the filter's canonical text.
    """
    try:
        return _bind(expression, source, steps=steps)
    except FilterError as error:
        if error.text is not None:
            raise
        text = str(expression)
    _bind(parse(text), source, steps=steps)
    raise AssertionError(text)


def _bind(expression: Expression, source: FilterSource, *, steps: bool) -> Plan:
    binder = _Binder(source, steps=steps)
    plan = binder.condition(expression)
    if plan.shape:
        raise _error(
            expression, f"`{expression}` has {plan.shape} values a step.", "Wrap it in any(...) or all(...)."
        )
    return plan


class _Binder:
    """Builds plans for one kind of rows."""

    def __init__(self, source: FilterSource, *, steps: bool) -> None:
        self._source = source
        self._steps = steps
        self._binders: dict[type[Expression], Callable[[Any], Plan]] = {
            Literal: self._literal,
            Field: self._field,
            Negative: self._negative,
            Arithmetic: self._arithmetic,
            Comparison: self._comparison,
            Membership: self._membership,
            IsNone: self._is_none,
            Not: self._not,
            And: self._junction,
            Or: self._junction,
            Call: self._call,
            Aggregate: self._aggregate,
        }

    def bind(self, node: Expression) -> Plan:
        """Return the plan of a node; what is made of constants alone becomes a constant."""
        plan = self._binders[type(node)](node)
        if plan.kind == "none" and plan.parts:
            return nothing(self._source, plan.shape)
        if plan.parts and all(isinstance(part, ConstantPlan) for part in plan.parts):
            return _folded(plan)
        return plan

    def condition(self, node: Expression) -> Plan:
        """Return the plan of a node that must say yes or no."""
        plan = self.bind(node)
        if plan.kind not in {"bool", "none"}:
            raise _error(
                node, f"`{node}` is {_WORDS[plan.kind]}, not yes or no.", "Compare it with something: x > 0."
            )
        return plan

    def number(self, node: Expression) -> Plan:
        """Return the plan of a node that must be a number."""
        plan = self.bind(node)
        if plan.kind == "text" or (isinstance(plan, ConstantPlan) and plan.value is None):
            raise _error(node, f"`{node}` is {_WORDS[plan.kind]}, not a number.")
        return plan

    def _literal(self, node: Literal) -> Plan:
        return _constant(node.value)

    def _field(self, node: Field) -> Plan:
        return step_field(node, self._source) if self._steps else episode_field(node, self._source)

    def _negative(self, node: Negative) -> Plan:
        operand = self.number(node.operand)
        low, high = _range([operand], lambda ends: [-ends[0][0], -ends[0][1]])
        kind: Kind = "int" if low is not None else _inexact(operand)
        return NegativePlan(kind=kind, low=low, high=high, operand=operand, **_joint([operand], node))

    def _arithmetic(self, node: Arithmetic) -> Plan:
        left, right = self.number(node.left), self.number(node.right)
        low, high = _range([left, right], lambda ends: _extremes(node.operator, *ends))
        kind: Kind = "int" if low is not None else _inexact(left, right)
        joint = _joint([left, right], node)
        return ArithmeticPlan(
            kind=kind, low=low, high=high, operator=node.operator, left=left, right=right, **joint
        )

    def _comparison(self, node: Comparison) -> Plan:
        operands = tuple(map(self.bind, node.operands))
        links = tuple(
            Link(operator, left, _settled(operator, operands[left], operands[left + 1], node, left))
            for left, operator in enumerate(node.operators)
        )
        return ComparisonPlan(
            kind="bool", low=0, high=1, operands=operands, links=links, **_joint(operands, node)
        )

    def _membership(self, node: Membership) -> Plan:
        operand = self.bind(node.operand)
        choices = tuple(choice.value for choice in node.choices)
        return MembershipPlan(
            kind="bool",
            low=0,
            high=1,
            operand=operand,
            choices=choices,
            negated=node.negated,
            **_joint([operand], node),
        )

    def _is_none(self, node: IsNone) -> Plan:
        operand = self.bind(node.operand)
        return IsNonePlan(
            kind="bool", low=0, high=1, operand=operand, negated=node.negated, **_joint([operand], node)
        )

    def _not(self, node: Not) -> Plan:
        operand = self.condition(node.operand)
        return NotPlan(kind="bool", low=0, high=1, operand=operand, **_joint([operand], node))

    def _junction(self, node: And | Or) -> Plan:
        operands = tuple(map(self.condition, node.operands))
        # What the episode alone answers comes first: it is cheap, and may settle the block.
        ordered = tuple(sorted(operands, key=lambda operand: not operand.exact))
        return JunctionPlan(
            kind="bool",
            low=0,
            high=1,
            operands=ordered,
            conjunction=isinstance(node, And),
            **_joint(operands, node),
        )

    def _call(self, node: Call) -> Plan:
        if len(node.arguments) > 1:
            return self._text_call(node)
        argument = self.number(node.arguments[0])
        joint = _joint([argument], node)
        if node.function in {"isnan", "isfinite"}:
            return CallPlan(
                kind="bool", low=0, high=1, function=node.function, arguments=(argument,), **joint
            )
        low, high = _range([argument], lambda ends: _function_range(node.function, *ends[0]))
        kind: Kind = "int" if low is not None else _inexact(argument)
        return CallPlan(kind=kind, low=low, high=high, function=node.function, arguments=(argument,), **joint)

    def _text_call(self, node: Call) -> Plan:
        arguments = tuple(map(self.bind, node.arguments))
        for given, argument in zip(node.arguments, arguments, strict=True):
            if argument.kind not in {"text", "none"}:
                raise _error(given, f"`{given}` is {_WORDS[argument.kind]}, not text.")
        if any(argument.kind == "none" for argument in arguments):
            return _constant(value=False)
        return CallPlan(
            kind="bool", low=0, high=1, function=node.function, arguments=arguments, **_joint(arguments, node)
        )

    def _aggregate(self, node: Aggregate) -> Plan:
        within = self if self._steps else _Binder(self._source, steps=True)
        operand = (
            within.condition(node.operand) if node.function in _CONDITIONS else within.number(node.operand)
        )
        plan = self._over_components(node, operand) if self._steps else self._over_steps(node, operand)
        return nothing(self._source) if plan.kind == "none" else plan

    def _over_components(self, node: Aggregate, operand: Plan) -> Plan:
        if not operand.shape:
            raise _error(
                node,
                f"{node.function}(...) among steps is taken over the components of one step, and "
                f"`{node.operand}` is a single value.",
                "Values of the whole episode are episode.total_return, episode.mean_reward, ...; aggregates over "
                "steps belong into an episode filter.",
            )
        kind, low, high = _aggregate_type(node.function, operand, int(np.prod(operand.shape)))
        return OverComponentsPlan(
            kind=kind, low=low, high=high, exact=operand.exact, function=node.function, operand=operand
        )

    def _over_steps(self, node: Aggregate, operand: Plan) -> Plan:
        if operand.shape:
            raise _error(
                node.operand,
                f"`{node.operand}` has {operand.shape} values a step.",
                f"Reduce them first: {node.function}(any(...)), {node.function}(max(...)), or take one component.",
            )
        longest = int(self._source.lengths.max(initial=0))
        kind, low, high = _aggregate_type(node.function, operand, longest)
        return OverStepsPlan(
            kind=kind, low=low, high=high, exact=False, function=node.function, operand=operand
        )


def _constant(value: Any) -> ConstantPlan:  # noqa: ANN401 - a scalar
    kind = _KINDS.get(type(value), "none")
    whole = int(value) if kind in {"bool", "int"} else None
    return ConstantPlan(kind=kind, low=whole, high=whole, value=value)


def _folded(plan: Plan) -> Plan:
    with np.errstate(all="ignore"):
        found = plan.column(None)  # type: ignore[arg-type]  # constants have no rows
    return _constant(np.asarray(found.values).item())


def _inexact(*operands: Plan) -> Kind:
    return "none" if any(operand.kind == "none" for operand in operands) else "float"


def _joint(operands: Sequence[Plan], node: Expression) -> dict[str, Any]:
    """Return what a plan inherits from its parts: the shape of one row, and whether steps are read."""
    shapes = {operand.shape for operand in operands if operand.shape}
    if len(shapes) > 1:
        sizes = " and ".join(str(shape) for shape in sorted(shapes))
        raise _error(node, f"Slices of different sizes meet in `{node}`: {sizes}.")
    return {"shape": next(iter(shapes), ()), "exact": all(operand.exact for operand in operands)}


def _settled(operator: str, left: Plan, right: Plan, node: Comparison, place: int) -> bool | None:
    """Return the answer that the types give: nothing equals a missing value, text equals no number."""
    kinds = {left.kind, right.kind}
    if "none" in kinds:
        return operator == "!="
    if "text" not in kinds or kinds == {"text"}:
        return None
    if operator in {"==", "!="}:
        return operator == "!="
    one, other = node.operands[place], node.operands[place + 1]
    raise _error(
        other,
        f"`{one}` is {_WORDS[left.kind]} and `{other}` is {_WORDS[right.kind]}: neither is smaller than the other.",
    )


def _range(
    operands: Sequence[Plan], ends: Callable[[list[tuple[int, int]]], Sequence[int] | None]
) -> tuple[int, int] | tuple[None, None]:
    """Return between which whole numbers a result lies, or None if it might not be one of 64 bits."""
    known = [(one.low, one.high) for one in operands if one.low is not None and one.high is not None]
    if len(known) < len(operands) or any(end not in _INT64 for pair in known for end in pair):
        return None, None
    found = ends(known)
    if not found or any(end not in _INT64 for end in found):
        return None, None
    return min(found), max(found)


def _extremes(operator: str, left: tuple[int, int], right: tuple[int, int]) -> Sequence[int] | None:
    if operator in {"//", "%"} and right[0] <= 0 <= right[1]:
        return None
    if operator == "%":
        return [0, right[1] - 1] if right[0] > 0 else [right[0] + 1, 0]
    pairs = [(a, b) for a in left for b in right]
    if operator == "+":
        return [a + b for a, b in pairs]
    if operator == "-":
        return [a - b for a, b in pairs]
    if operator == "*":
        return [a * b for a, b in pairs]
    return [a // b for a, b in pairs] if operator == "//" else None


def _function_range(function: str, low: int, high: int) -> Sequence[int] | None:
    if function == "abs":
        return [0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))]
    return [low, high] if function in {"floor", "ceil", "round"} else None


def _aggregate_type(function: str, operand: Plan, most: int) -> tuple[Kind, int | None, int | None]:
    if function in {"any", "all"}:
        return "bool", 0, 1
    if function == "count":
        return "int", 0, most
    if operand.kind == "none":
        return "none", None, None
    if function in {"min", "max"}:
        return operand.kind, operand.low, operand.high
    low, high = _range([operand], lambda ends: [0, ends[0][0] * most, ends[0][1] * most])
    return ("float", None, None) if low is None or function == "mean" else ("int", low, high)


def _error(node: Expression, message: str, hint: str | None = None) -> FilterTypeError:
    return type_error(message, node.place, hint)
