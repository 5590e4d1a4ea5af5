"""Pickles read as what they say, by an interpreter that has nothing to run.

A pickle is a program. This reads the few instructions that plain values need (texts, bytes, numbers, tuples, lists,
dictionaries) and refuses all others before it looks at what follows. The instructions that name and call functions
are refused too, unless the caller says which names may appear; what is called then is the caller's own function.
"""

from __future__ import annotations

import io
import pickletools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ForbiddenOperationError", "read_plain_pickle"]

_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_LITERALS = frozenset(_TEXTS + _BYTES + _NUMBERS)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MARK = object()


class ForbiddenOperationError(ValueError):
    """A pickle asks for more than plain values."""


class _Name:
    """A function that the pickle may call."""

    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:  # noqa: ANN401
        self.function = function


class _Interpreter:
    """The stack machine; its methods are named after pickle's instructions."""

    def __init__(
        self, names: Mapping[str, Any], persistent: Callable[[Any], Any] | None, max_operations: int
    ) -> None:
        self._names = names
        self._persistent = persistent
        self._left = max_operations
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:  # noqa: ANN401
        for operation, argument, _ in pickletools.genops(io.BytesIO(content)):
            self._left -= 1
            if self._left < 0:
                raise ForbiddenOperationError("it has more instructions than it could need")
            self._step(operation.name, argument)
        if len(self._stack) != 1:
            raise ValueError("it leaves no single value")
        return self._stack[0]

    def _step(self, name: str, argument: Any) -> None:  # noqa: ANN401
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        else:
            step = getattr(self, f"_on_{name.lower()}", None)
            if step is None:
                raise ForbiddenOperationError(
                    f"it has the instruction {name}, which plain values do not need"
                )
            step(argument)

    def _marked(self) -> list[Any]:
        """Take what is above the last mark."""
        taken = []
        while (value := self._stack.pop()) is not _MARK:
            taken.append(value)
        return taken[::-1]

    def _put(self, pairs: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise ValueError("it fills something that is no dictionary")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, (str, int)):
                raise ForbiddenOperationError("a dictionary in it has a key that is neither text nor number")
            target[key] = value

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise ValueError("it fills something that is no list")  # noqa: TRY004 - the file is wrong, not a call
        target.extend(values)

    def _tuple(self, length: int) -> None:
        values = [self._stack.pop() for _ in range(length)]
        self._stack.append(tuple(values[::-1]))

    def _ignore(self, _: Any) -> None:  # noqa: ANN401
        """Framing and the end: nothing to do."""

    _on_proto = _on_frame = _on_stop = _ignore

    def _on_mark(self, _: None) -> None:
        self._stack.append(_MARK)

    def _on_empty_dict(self, _: None) -> None:
        self._stack.append({})

    def _on_empty_list(self, _: None) -> None:
        self._stack.append([])

    def _on_empty_tuple(self, _: None) -> None:
        self._stack.append(())

    def _on_tuple(self, _: None) -> None:
        self._stack.append(tuple(self._marked()))

    def _on_tuple1(self, _: None) -> None:
        self._tuple(1)

    def _on_tuple2(self, _: None) -> None:
        self._tuple(2)

    def _on_tuple3(self, _: None) -> None:
        self._tuple(3)

    def _on_append(self, _: None) -> None:
        self._extend([self._stack.pop()])

    def _on_appends(self, _: None) -> None:
        self._extend(self._marked())

    def _on_setitem(self, _: None) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._put([key, value])

    def _on_setitems(self, _: None) -> None:
        self._put(self._marked())

    def _on_memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _on_binput(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    _on_long_binput = _on_binput

    def _on_binget(self, place: int) -> None:
        self._stack.append(self._memo[place])

    _on_long_binget = _on_binget

    def _on_global(self, name: str) -> None:
        if name not in self._names:
            raise ForbiddenOperationError(f"it asks for {name!r:.80}")
        self._stack.append(_Name(self._names[name]))

    def _on_reduce(self, _: None) -> None:
        arguments, name = self._stack.pop(), self._stack.pop()
        if not isinstance(name, _Name) or not callable(name.function) or not isinstance(arguments, tuple):
            raise ForbiddenOperationError("it calls something that is no function")
        self._stack.append(name.function(*arguments))

    def _on_build(self, _: None) -> None:
        """Drop the attributes of a dictionary: torch keeps versions of its layers there."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict):
            raise ForbiddenOperationError("it sets attributes")

    def _on_binpersid(self, _: None) -> None:
        if self._persistent is None:
            raise ForbiddenOperationError("it refers to something outside of it")
        identity = self._stack.pop()
        if isinstance(identity, tuple):
            identity = tuple(part.function if isinstance(part, _Name) else part for part in identity)
        self._stack.append(self._persistent(identity))


def read_plain_pickle(
    content: bytes,
    *,
    names: Mapping[str, Any] | None = None,
    persistent: Callable[[Any], Any] | None = None,
    max_operations: int,
) -> Any:  # noqa: ANN401 - plain values
    """Read a pickle of plain values; nothing that it names is imported.

    Args:
        content: the pickle.
        names: what ``"module name"`` stands for in it, where it may be named at all: a function of ours, which may
            be called with plain values, or anything else.
        persistent: gives the object that a persistent id stands for.
        max_operations: instructions it may have.

    Raises:
        ForbiddenOperationError: it asks for anything else.
        ValueError: it is no pickle, or a broken one.
    """
    try:
        return _Interpreter(names or {}, persistent, max_operations).run(content)
    except (IndexError, KeyError, TypeError, OverflowError) as error:
        # An empty stack, a memo that was never filled, arguments that do not fit a function.
        raise ValueError(f"it is a broken pickle ({type(error).__name__})") from error
