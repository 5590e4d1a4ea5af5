"""JSON to tree and back.

A node is an object whose ``op`` says which, for example::

    {"op": "compare", "operators": [">="], "operands": [{"op": "field", "name": "total_return"},
                                                        {"op": "literal", "value": 100}]}

The one module of the filters that imports pydantic.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any
from typing import Literal as OneOf

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic import Field as Described

from pytupli_registry.errors import FilterSyntaxError
from pytupli_registry.filters.expression import (
    MAX_DEPTH,
    And,
    Expression,
    Literal,
    Not,
    Or,
    conjunction,
    disjunction,
)
from pytupli_registry.filters.terms import (
    MAX_CHOICES,
    Aggregate,
    Arithmetic,
    Call,
    Comparison,
    Field,
    IsNone,
    Key,
    Membership,
    Negative,
    Slice,
    compare,
    negative,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MAX_JSON", "Node", "from_json", "json_schema", "to_json"]

MAX_JSON = 1_000_000

_Value = bool | int | float | str | None
_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def tree(self) -> Expression:
        raise NotImplementedError


class LiteralNode(_Model):
    """A constant."""

    op: OneOf["literal"] = "literal"
    value: _Value

    def tree(self) -> Literal:
        """Return the node of the tree."""
        return Literal(self.value)


class NumberNode(_Model):
    """A number that JSON has no sign for."""

    op: OneOf["number"] = "number"
    value: OneOf["nan", "inf", "-inf"]

    def tree(self) -> Literal:
        """Return the node of the tree."""
        return Literal(_SPECIAL[self.value])


class SliceNode(_Model):
    """``start:stop:step``."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


class FieldNode(_Model):
    """A field: a name, and keys that lead further down."""

    op: OneOf["field"] = "field"
    name: str
    keys: tuple[str | int | SliceNode, ...] = Described(default=(), max_length=MAX_DEPTH)

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return Field(self.name, tuple(map(_key_of_node, self.keys)))


class NegativeNode(_Model):
    """``-operand``."""

    op: OneOf["negative"] = "negative"
    operand: Node

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return negative(self.operand.tree())


class ArithmeticNode(_Model):
    """``left operator right``."""

    op: OneOf["arithmetic"] = "arithmetic"
    operator: OneOf["+", "-", "*", "/", "//", "%", "**"]
    left: Node
    right: Node

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return Arithmetic(self.operator, self.left.tree(), self.right.tree())


class CompareNode(_Model):
    """A comparison, or a chain of them."""

    op: OneOf["compare"] = "compare"
    operators: tuple[OneOf["==", "!=", "<", "<=", ">", ">="], ...]
    operands: tuple[Node, ...]

    def tree(self) -> Expression:
        """Return the node of the tree."""
        operands = tuple(operand.tree() for operand in self.operands)
        if len(self.operators) == 1 and len(operands) == 2:
            return compare(operands[0], self.operators[0], operands[1])
        return Comparison(self.operators, operands)


class MembershipNode(_Model):
    """``operand in choices``, or ``not in``."""

    op: OneOf["in"] = "in"
    operand: Node
    choices: tuple[Annotated[LiteralNode | NumberNode, Described(discriminator="op")], ...] = Described(
        max_length=MAX_CHOICES
    )
    negated: bool = False

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return Membership(self.operand.tree(), tuple(choice.tree() for choice in self.choices), self.negated)


class IsNoneNode(_Model):
    """``operand is None``, or ``is not None``."""

    op: OneOf["is_none"] = "is_none"
    operand: Node
    negated: bool = False

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return IsNone(self.operand.tree(), self.negated)


class NotNode(_Model):
    """``not operand``."""

    op: OneOf["not"] = "not"
    operand: Node

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return Not(self.operand.tree())


class AndNode(_Model):
    """True where all operands are; without operands always."""

    op: OneOf["and"] = "and"
    operands: tuple[Node, ...]

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return conjunction(*(operand.tree() for operand in self.operands))


class OrNode(_Model):
    """True where some operand is; without operands never."""

    op: OneOf["or"] = "or"
    operands: tuple[Node, ...]

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return disjunction(*(operand.tree() for operand in self.operands))


class CallNode(_Model):
    """A function of values of the same episode or step."""

    op: OneOf["call"] = "call"
    function: str
    arguments: tuple[Node, ...]

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return Call(self.function, tuple(argument.tree() for argument in self.arguments))


class AggregateNode(_Model):
    """One value of many: over steps, or over the components of a slice."""

    op: OneOf["aggregate"] = "aggregate"
    function: str
    operand: Node

    def tree(self) -> Expression:
        """Return the node of the tree."""
        return Aggregate(self.function, self.operand.tree())


Node = Annotated[
    LiteralNode
    | NumberNode
    | FieldNode
    | NegativeNode
    | ArithmeticNode
    | CompareNode
    | MembershipNode
    | IsNoneNode
    | NotNode
    | AndNode
    | OrNode
    | CallNode
    | AggregateNode,
    Described(discriminator="op"),
]


def from_json(given: str | bytes | Mapping[str, Any]) -> Expression:
    """Return the expression that JSON describes.

    Args:
        given: JSON text, or what it decodes to.

    Raises:
        FilterSyntaxError: it is no filter, or too large or too deeply nested.
        FilterTypeError: a literal is not one a filter can hold.
    """
    try:
        text = given if isinstance(given, str | bytes) else json.dumps(given)
        if len(text) > MAX_JSON:
            raise FilterSyntaxError(
                f"A filter has at most {MAX_JSON} characters of JSON; this one has {len(text)}."
            )
        found: Expression = _adapter().validate_json(text).tree()
    except ValidationError as error:
        raise FilterSyntaxError(f"The JSON is no filter: {_first(error)}.") from error
    except (RecursionError, ValueError, TypeError) as error:
        raise FilterSyntaxError(f"The JSON is no filter: {error}.") from error
    return found


def to_json(expression: Expression) -> str:
    """Return an expression as JSON text; :func:`from_json` returns an equal expression."""
    return str(_node(expression.as_expression()).model_dump_json())


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of filters."""
    return _adapter().json_schema()


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Node)


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{first['msg']} (at {where[-120:]})" if where else str(first["msg"])


def _key_of_node(key: str | int | SliceNode) -> Key:
    return Slice(key.start, key.stop, key.step) if isinstance(key, SliceNode) else key


def _node_of_key(key: Key) -> str | int | SliceNode:
    return SliceNode(start=key.start, stop=key.stop, step=key.step) if isinstance(key, Slice) else key


def _literal(node: Literal) -> LiteralNode | NumberNode:
    if isinstance(node.value, float) and not math.isfinite(node.value):
        return NumberNode.model_validate({"value": repr(node.value)})
    return LiteralNode(value=node.value)


def _nodes(operands: tuple[Expression, ...]) -> tuple[Any, ...]:
    return tuple(map(_node, operands))


def _node(node: Expression) -> Any:  # noqa: ANN401 - one of the models of Node
    writers: dict[type[Expression], Callable[[Any], _Model]] = {
        Literal: _literal,
        Field: lambda it: FieldNode(name=it.name, keys=tuple(map(_node_of_key, it.keys))),
        Negative: lambda it: NegativeNode(operand=_node(it.operand)),
        Arithmetic: lambda it: ArithmeticNode(
            operator=it.operator, left=_node(it.left), right=_node(it.right)
        ),
        Comparison: lambda it: CompareNode(operators=it.operators, operands=_nodes(it.operands)),
        Membership: lambda it: MembershipNode(
            operand=_node(it.operand),
            choices=tuple(map(_literal, it.choices)),
            negated=it.negated,
        ),
        IsNone: lambda it: IsNoneNode(operand=_node(it.operand), negated=it.negated),
        Not: lambda it: NotNode(operand=_node(it.operand)),
        And: lambda it: AndNode(operands=_nodes(it.operands)),
        Or: lambda it: OrNode(operands=_nodes(it.operands)),
        Call: lambda it: CallNode(function=it.function, arguments=_nodes(it.arguments)),
        Aggregate: lambda it: AggregateNode(function=it.function, operand=_node(it.operand)),
    }
    return writers[type(node)](node)
