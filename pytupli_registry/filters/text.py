"""Text to tree: a safe subset of Python expressions, read with ``ast.parse`` and never run."""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING

from pytupli_registry.errors import FilterError, FilterSyntaxError, did_you_mean
from pytupli_registry.filters.expression import (
    MAX_DEPTH,
    MAX_SIZE,
    Expression,
    Literal,
    Not,
    Place,
    check_unicode,
    conjunction,
    disjunction,
)
from pytupli_registry.filters.terms import (
    AGGREGATES,
    FUNCTIONS,
    MAX_CHOICES,
    Aggregate,
    Arithmetic,
    Call,
    Comparison,
    Field,
    IsNone,
    Key,
    Membership,
    Slice,
    compare,
    negative,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_TEXT", "parse"]

MAX_TEXT = 100_000

_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_BITWISE: dict[type[ast.AST], str] = {ast.BitAnd: "and", ast.BitOr: "or", ast.Invert: "not"}
_CONSTANTS = {"inf": math.inf, "nan": math.nan}

_WHITE_SPACE = str.maketrans("\n\r\t\f\v", "     ")
_NUMBER = r"0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?"
_TOKEN = re.compile(
    rf"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<![\w.])(?:{_NUMBER})|['"#()\[\]{{}}]""", re.ASCII
)
_BAD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:[^'\"\\abfnrtv0-7xNuU\n]|[4-7][0-7]{2})")
_PREFIX = re.compile(r"\b(?:[rbfut]|[bft]r|r[bft])\Z", re.IGNORECASE)
_SIGNS = re.compile(rf"(?:[-+~]\s*|\bnot\b\s*){{{MAX_DEPTH},}}")


def parse(text: str) -> Expression:
    """Return the expression a text says.

    Every node remembers its place in ``text``, so that later errors can point at it.

    Raises:
        FilterSyntaxError: the text is no filter, or it is too long or too deeply nested.
        FilterTypeError: a literal is not one a filter can hold, or None is ordered.
    """
    if len(text) > MAX_TEXT:
        raise FilterSyntaxError(f"A filter has at most {MAX_TEXT} characters; this one has {len(text)}.")
    check_unicode(text, None)
    _check_tokens(text)
    plain = text.translate(_WHITE_SPACE)
    start = len(plain) - len(plain.lstrip(" "))
    if start == len(plain):
        raise FilterSyntaxError(
            "The filter is empty.", text=text, position=0, hint="Write `True` to keep all."
        )
    return _Reader(text, start).read(_syntax_tree(plain[start:], text, start))


def _check_tokens(text: str) -> None:
    """Refuse what Python's own parser would crash on, take long over, ignore, or warn about."""
    depth = 0
    for found in _TOKEN.finditer(text):
        mark, position = found.group(), found.start()
        problem = _problem(text, mark, position)
        depth += (mark in "([{") - (mark in ")]}")
        if depth > MAX_DEPTH:
            problem = f"The filter is nested more than {MAX_DEPTH} levels deep."
        if problem:
            raise FilterSyntaxError(problem, text=text, position=position)
    if signs := _SIGNS.search(text):
        raise FilterSyntaxError("That is a long row of signs.", text=text, position=signs.start())


def _problem(text: str, mark: str, position: int) -> str | None:
    if mark == "#":
        return "A filter has no comments."
    end = position + len(mark)
    after = text[end : end + 1]
    if mark[0].isdigit() or mark[0] == ".":
        return f"The number {mark:.40} runs into a name." if after.isalnum() or after == "_" else None
    if mark[0] not in "'\"":
        return None
    if mark in {"'", '"'}:
        return "This text in quotes is not closed."
    if mark in {"''", '""'} and after == mark[0]:
        return "Write text in single or double quotes."
    if _PREFIX.search(text[max(position - 3, 0) : position]):
        return "Text in a filter has no letter before its quotes."
    return "The text in quotes holds an unknown escape." if _BAD_ESCAPE.search(mark) else None


def _syntax_tree(plain: str, text: str, start: int) -> ast.expr:
    try:
        return ast.parse(plain, mode="eval").body
    except SyntaxError as error:
        position = min(start + max((error.offset or 1) - 1, 0), len(text))
        message = error.msg.split("(<unknown>")[0].strip().rstrip(".")
        raise FilterSyntaxError(
            f"The filter cannot be read: {message}.", text=text, position=position, hint=_hint_for(plain)
        ) from error
    except (RecursionError, MemoryError) as error:
        raise FilterSyntaxError("The filter is nested too deeply.", text=text, position=start) from error
    except ValueError as error:  # a NUL, an integer of thousands of digits
        raise FilterSyntaxError(f"The filter cannot be read: {error}.", text=text, position=start) from error


def _hint_for(plain: str) -> str | None:
    if re.search(r"[^=!<>]=[^=]", plain):
        return "Equality is written ==."
    if "&&" in plain or "||" in plain or re.search(r"!(?!=)", plain):
        return "Write `and`, `or` and `not`."
    return None


class _Reader:
    """Turns Python's syntax tree into ours; whatever is not named here is refused."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start
        self._bytes = None if text.isascii() else text[start:].encode()
        self._readers: dict[type[ast.expr], Callable[..., Expression]] = {
            ast.BoolOp: self._bool_op,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._compare,
            ast.Call: self._call,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Constant: self._constant,
        }

    def read(self, node: ast.expr) -> Expression:
        """Return the expression of a node.

        Raises:
            FilterSyntaxError: filters have nothing like it.
        """
        reader = self._readers.get(type(node))
        if reader is None:
            raise self._error(node, f"{_spoken(node)} has no place in a filter.")
        try:
            return reader(node)
        except RecursionError as error:
            raise self._error(node, f"The filter is nested more than {MAX_DEPTH} levels deep.") from error

    def _position(self, node: ast.expr) -> int:
        # ast counts UTF-8 bytes, people count characters.
        if self._bytes is None:
            return self._start + node.col_offset
        return self._start + len(self._bytes[: node.col_offset].decode(errors="replace"))

    def _place(self, node: ast.expr) -> Place:
        return Place(self._text, self._position(node))

    def _error(self, node: ast.expr, message: str, hint: str | None = None) -> FilterError:
        return FilterSyntaxError(message, text=self._text, position=self._position(node), hint=hint)

    def _check_count(self, node: ast.expr, count: int, most: int) -> None:
        if count > most:  # before thousands of nodes are made
            raise self._error(node, f"There are {count} values here; a filter has at most {most}.")

    def _bool_op(self, node: ast.BoolOp) -> Expression:
        self._check_count(node, len(node.values), MAX_SIZE)
        join = conjunction if isinstance(node.op, ast.And) else disjunction
        return join(*map(self.read, node.values), place=self._place(node))

    def _unary(self, node: ast.UnaryOp) -> Expression:
        if isinstance(node.op, ast.Invert):
            raise self._error(node, "~ has no place in the text of a filter.", "Write `not`.")
        operand = self.read(node.operand)
        if isinstance(node.op, ast.Not):
            return Not(operand, place=self._place(node))
        return negative(operand, place=self._place(node)) if isinstance(node.op, ast.USub) else operand

    def _binary(self, node: ast.BinOp) -> Expression:
        if type(node.op) in _BITWISE:
            raise self._error(
                node, "& and | have no place in the text of a filter.", f"Write `{_BITWISE[type(node.op)]}`."
            )
        if type(node.op) not in _ARITHMETIC:
            raise self._error(node, "There is no such operator in filters.", "There are + - * / // % **.")
        return Arithmetic(
            _ARITHMETIC[type(node.op)], self.read(node.left), self.read(node.right), place=self._place(node)
        )

    def _compare(self, node: ast.Compare) -> Expression:
        self._check_count(node, len(node.ops), MAX_SIZE)
        if len(node.ops) == 1:
            return self._single_comparison(node, node.ops[0], node.comparators[0])
        operators = [_COMPARISONS.get(type(op)) for op in node.ops]
        if None in operators:
            raise self._error(
                node, "`in` and `is` cannot be part of a chain of comparisons.", "Join them with `and`."
            )
        operands = tuple(map(self.read, [node.left, *node.comparators]))
        return Comparison(tuple(filter(None, operators)), operands, place=self._place(node))

    def _single_comparison(self, node: ast.Compare, operator: ast.cmpop, right: ast.expr) -> Expression:
        left, place = self.read(node.left), self._place(node)
        if isinstance(operator, ast.In | ast.NotIn):
            return Membership(left, self._choices(right), isinstance(operator, ast.NotIn), place=place)
        if isinstance(operator, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise self._error(right, "After `is` there can only be None.", "Compare with ==.")
            return IsNone(left, isinstance(operator, ast.IsNot), place=place)
        return compare(left, _COMPARISONS[type(operator)], self.read(right), place=place)

    def _choices(self, node: ast.expr) -> tuple[Literal, ...]:
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            raise self._error(
                node,
                "After `in` there must be a list of values.",
                "Write x in [1, 2]; for text inside text write contains(field, 'part').",
            )
        self._check_count(node, len(node.elts), MAX_CHOICES)
        return tuple(self._choice(element) for element in node.elts)

    def _choice(self, node: ast.expr) -> Literal:
        found = self.read(node)
        if not isinstance(found, Literal):
            raise self._error(node, "A list in a filter holds only numbers, texts, True, False and None.")
        return found

    def _call(self, node: ast.Call) -> Expression:
        if isinstance(node.func, ast.Attribute) and node.func.attr in {*FUNCTIONS, *AGGREGATES}:
            raise self._error(node, "Fields have no methods.", f"Write {node.func.attr}(field, ...).")
        if not isinstance(node.func, ast.Name):
            raise self._error(node, "Only functions can be called.")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self._error(node, "Functions take their arguments by position.")
        return self._named_call(node, node.func.id)

    def _named_call(self, node: ast.Call, name: str) -> Expression:
        if name not in FUNCTIONS and name not in AGGREGATES:
            known = [*FUNCTIONS, *AGGREGATES]
            hint = did_you_mean(name, known) or f"There are {', '.join(known)}."
            raise self._error(node, f"There is no function {name!r:.40}.", hint)
        expected = FUNCTIONS.get(name, 1)
        if len(node.args) != expected:
            raise self._error(node, f"{name}(...) takes {expected} argument(s), not {len(node.args)}.")
        arguments = tuple(map(self.read, node.args))
        if name in AGGREGATES:
            return Aggregate(name, arguments[0], place=self._place(node))
        return Call(name, arguments, place=self._place(node))

    def _name(self, node: ast.Name) -> Expression:
        if node.id in _CONSTANTS:
            return Literal(_CONSTANTS[node.id], place=self._place(node))
        return Field(node.id, place=self._place(node))

    def _attribute(self, node: ast.Attribute) -> Expression:
        return self._deeper(node, node.value, (node.attr,))

    def _subscript(self, node: ast.Subscript) -> Expression:
        elements = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return self._deeper(node, node.value, tuple(map(self._key, elements)))

    def _deeper(self, node: ast.expr, base: ast.expr, keys: tuple[Key, ...]) -> Expression:
        field = self.read(base)
        if not isinstance(field, Field):
            raise self._error(node, "Only fields have parts.", "Index the field itself: abs(observation[2]).")
        if any(isinstance(key, Slice) for key in field.keys):
            raise self._error(node, "A slice cannot be indexed again.", "Put both in one bracket: x[:3, 1].")
        return Field(field.name, (*field.keys, *keys), place=field.place)

    def _key(self, node: ast.expr) -> Key:
        if isinstance(node, ast.Slice):
            return Slice(*(self._bound(bound) for bound in (node.lower, node.upper, node.step)))
        found = self.read(node)
        if not isinstance(found, Literal) or type(found.value) not in {int, str}:
            raise self._error(node, "An index is a whole number, a slice or a name in quotes.")
        return found.value  # type: ignore[return-value]

    def _bound(self, node: ast.expr | None) -> int | None:
        if node is None:
            return None
        found = self.read(node)
        if not isinstance(found, Literal) or type(found.value) is not int:
            raise self._error(node, "The ends of a slice are whole numbers.")
        return found.value

    def _constant(self, node: ast.Constant) -> Expression:
        if not isinstance(node.value, bool | int | float | str | None):
            raise self._error(node, f"{_spoken(node)} has no place in a filter.")
        return Literal(node.value, place=self._place(node))


def _spoken(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return f"The constant {node.value!r:.40}"
    words = {
        ast.List: "A list outside `in`",
        ast.Tuple: "A comma",
        ast.Set: "A set outside `in`",
        ast.GeneratorExp: "A loop",
        ast.ListComp: "A loop",
        ast.IfExp: "`if`",
        ast.Lambda: "A lambda",
        ast.NamedExpr: "An assignment",
        ast.JoinedStr: "An f-string",
        ast.Starred: "A star",
    }
    return words.get(type(node), f"A Python {type(node).__name__}")
