"""The YAML block at the top of a ``README.md``, read without ever building anything but plain values.

The Hub reads YAML 1.2: ``language: no`` is Norwegian, not false. Values are built from the parser's events with a
budget, so that nesting, aliases and length stay harmless; PyYAML's own loaders have no such limits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["LARGEST", "FrontMatterError", "clean", "load_yaml", "yaml_block"]

LARGEST = 512 << 10  # characters of the block
_DEEPEST = 64
_BUDGET = 4 * LARGEST  # characters and nodes of what comes out, aliases followed
_NODE = 40  # what a node weighs beside its text: some 50,000 nodes at most

# As huggingface_hub's REGEX_YAML_BLOCK finds it (repocard.py).
_BLOCK = re.compile(r"\s*---(?:\r\n|\r|\n)([\S\s]*?)(?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|$)")
_INTEGER = re.compile(r"[-+]?(?:0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}|[0-9]{1,18})")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_TAG = "tag:yaml.org,2002:"


class FrontMatterError(ValueError):
    """The block is no YAML, or more than the server reads; the message is for the card's author."""


def clean(text: str) -> str:
    """Return ``text`` without NUL and lone surrogates, which no database stores."""
    return _UNSTORABLE.sub("�", text)


def yaml_block(text: str) -> str | None:
    """Return what stands between the two lines of dashes; None where there is no such block."""
    # The expression looks at every line, and nobody else gets to do anything meanwhile.
    found = _BLOCK.match(text.removeprefix("\ufeff")[: 2 * LARGEST])
    return found[1] if found else None


def load_yaml(block: str) -> Any:  # noqa: ANN401 - what YAML may hold
    """Return the value of one YAML document: dict, list, str, int, float, bool or None.

    Raises:
        FrontMatterError: it is malformed, larger or deeper than the server reads, or asks for other types.
    """
    if len(block) > LARGEST:
        raise FrontMatterError(f"it is longer than {LARGEST} characters")
    builder = _Builder()
    try:
        for event in _events(clean(block)):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise FrontMatterError(_sentence(error)) from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise FrontMatterError(str(error).splitlines()[0]) from error
    return builder.result


def _events(block: str) -> Iterable[yaml.Event]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is forty times faster
    events: Iterable[yaml.Event] = yaml.parse(block, Loader=loader)
    return events


def _sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    where = f" ({mark.line + 1}:{mark.column + 1})" if mark is not None else ""
    return f"{error.problem or error.context or 'it cannot be read'}{where}"


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end has not come yet."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    weight: int = _NODE
    key: str | None = None
    scalars: list[str] = field(default_factory=list)


class _Builder:
    """Builds one value from events."""

    def __init__(self) -> None:
        self.result: Any = None
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._weight = 0
        self._documents = 0
        self._actions: dict[type[yaml.Event], Callable[[Any], None]] = {
            yaml.DocumentStartEvent: self._document,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
        }

    def take(self, event: yaml.Event) -> None:
        action = self._actions.get(type(event))
        if action is not None:
            action(event)

    def _document(self, _: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise FrontMatterError("expected a single document in the stream, but found more")

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        is_map = isinstance(event, yaml.MappingStartEvent)
        _check_tag(event.tag, "map" if is_map else "seq")
        if len(self._open) >= _DEEPEST:
            raise FrontMatterError(f"it is nested deeper than {_DEEPEST} levels")
        if self._wants_key():
            raise FrontMatterError("a key must be a plain value")
        self._spend(_NODE)
        self._open.append(_Open({} if is_map else [], event.anchor))

    def _end(self, _: yaml.Event) -> None:
        closed = self._open.pop()
        self._keep(closed.anchor, closed.value, closed.weight)
        self._add(closed.value, closed.weight)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text = clean(event.value)
        weight = _NODE + len(text)
        self._spend(weight)
        if self._wants_key():
            self._keep(event.anchor, text, weight)
            self._take_key(text)
            return
        value = _resolve(event, text)
        self._keep(event.anchor, value, weight)
        self._add(value, weight)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self._anchors:
            raise FrontMatterError(f"unidentified alias {clean(str(event.anchor))[:80]!r}")
        value, weight = self._anchors[event.anchor]
        self._spend(weight)
        if not self._wants_key():
            self._add(value, weight)
        elif isinstance(value, str):
            self._take_key(value)
        else:
            raise FrontMatterError("a key must be a plain value")

    def _spend(self, weight: int) -> None:
        self._weight += weight
        if self._weight > _BUDGET:
            raise FrontMatterError("it is more than the server reads once its aliases are followed")

    def _keep(self, anchor: str | None, value: Any, weight: int) -> None:  # noqa: ANN401
        if anchor is not None:
            self._anchors[anchor] = value, weight

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _take_key(self, text: str) -> None:
        parent = self._open[-1]
        if text in parent.value:
            raise FrontMatterError(f"duplicated mapping key {text[:80]!r}")
        parent.key = text

    def _add(self, value: Any, weight: int) -> None:  # noqa: ANN401
        if not self._open:
            self.result = value
            return
        parent = self._open[-1]
        parent.weight += weight
        if isinstance(parent.value, list):
            parent.value.append(value)
        else:
            assert parent.key is not None  # noqa: S101 - a value comes after its key
            parent.value[parent.key] = value
            parent.key = None


def _check_tag(tag: str | None, *allowed: str) -> None:
    if tag in (None, "!") or any(tag == _TAG + name for name in allowed):
        return
    raise FrontMatterError(f"unknown tag {clean(str(tag))[:80]!r}")


def _resolve(event: yaml.ScalarEvent, text: str) -> Any:  # noqa: ANN401
    _check_tag(event.tag, "str", "null", "bool", "int", "float", "timestamp")
    if event.tag == _TAG + "str" or (event.tag is None and not event.implicit[0]) or event.tag == "!":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _integer(text: str) -> int:
    if "x" in text or "o" in text:
        return int(text, 0)
    return int(text)
