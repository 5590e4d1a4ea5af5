"""The text of a new Hub's ``hub.toml``: every setting with its meaning, as a comment."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping

from pytupli_registry.server.settings import Settings

__all__ = ["configuration_text"]

HEAD = """\
# The configuration of this Hub; docs/server.md explains it. Lines like "#name = value" show defaults.
# Variables named PYTUPLI_SERVER_<SETTING> come before what stands here.
"""
NOT_IN_FILE = frozenset({"directory", "secret"})


def configuration_text(chosen: Mapping[str, object]) -> str:
    """Return the text of ``hub.toml``.

    Args:
        chosen: the settings that differ from their defaults, by name.
    """
    lines = [HEAD]
    for name, meaning in _meanings().items():
        if name in NOT_IN_FILE:
            continue
        default = Settings.model_fields[name].get_default(call_default_factory=True)
        mark = "" if name in chosen else "#"
        lines += [f"# {meaning}", f"{mark}{name} = {_toml(chosen.get(name, default))}", ""]
    return "\n".join(lines)


def _meanings() -> dict[str, str]:
    """Return what the docstring of the settings says of each, so that the two cannot differ."""
    described = (inspect.getdoc(Settings) or "").partition("Attributes:\n")[2]
    joined = re.sub(r"\n\s{8,}", " ", described)
    return dict(re.findall(r"^\s+(\w+): (.+)$", joined, re.MULTILINE))


def _toml(value: object) -> str:
    if value is None:
        return '""'
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {_toml(part)}" for key, part in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    # JSON's strings, numbers, booleans and arrays are TOML's too.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
