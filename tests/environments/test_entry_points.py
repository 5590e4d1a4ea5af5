"""Entry points as text: what is one, and what only looks like one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.environments.entry_points import (
    EntryPoint,
    is_module_name,
    lies_within,
    parse_entry_point,
)
from pytupli_registry.errors import EnvironmentRefused

NO_ENTRY_POINTS = [
    "",
    ":",
    "os",
    "os:",
    ":system",
    "os:system:x",
    " os:system",
    "os:system ",
    "os:system\n",
    "os :system",
    "os\t:system",
    ".os:system",
    "..os:system",
    "os.:system",
    "os..path:join",
    "os:.system",
    "os:system.",
    "acme:<lambda>",
    "acme:make.<locals>.Env",
    "acme:Env()",
    "acme:Env[0]",
    "acme:Env;import os",
    "acme/envs:Env",
    "/acme:Env",
    "acme\\envs:Env",
    "acme-envs:Env",
    "acme:__class__",
    "acme:Env.__init__.__globals__",
    "acme:Env.__subclasses__",
    "__main__:Env",
    "acme.__init__:Env",
    "__builtins__:exec",
    "аcme:Env",  # noqa: RUF001 - a Cyrillic letter
    "acme:Ｅnv",  # noqa: RUF001 - a full-width letter
    "acme：Env",  # noqa: RUF001 - a full-width colon
    "acme:Env\u200b",
    "acme:\u202eEnv",
    "acme\0:Env",
    "acme:Env\x1b[2J",
    "acme:" + "E" * 300,
    "1acme:Env",
    "acme:1Env",
]


@pytest.mark.parametrize("text", NO_ENTRY_POINTS)
def test_what_only_looks_like_an_entry_point_is_refused(text: str) -> None:
    with pytest.raises(EnvironmentRefused, match="is no entry point") as refusal:
        parse_entry_point(text)
    assert str(refusal.value).isascii()
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("thing", [None, 3, b"acme:Env", ["acme:Env"], {"acme": "Env"}])
def test_what_is_no_text_is_refused(thing: object) -> None:
    with pytest.raises(EnvironmentRefused, match="is no entry point"):
        parse_entry_point(thing)


def test_an_entry_point_is_taken_apart() -> None:
    found = parse_entry_point("acme.envs._two:Outer.Inner_3")
    assert found == EntryPoint("acme.envs._two", ("Outer", "Inner_3"))
    assert found.top_level == "acme"
    assert str(found) == "acme.envs._two:Outer.Inner_3"


@pytest.mark.parametrize(
    "text", ["os:system", "posix:system", "builtins:exec", "ctypes.util:find_library", "_pickle:loads"]
)
def test_python_itself_is_recognised(text: str) -> None:
    assert parse_entry_point(text).is_standard_library
    assert not parse_entry_point("acme:Env").is_standard_library


def test_prefixes_end_at_the_names_of_modules() -> None:
    assert lies_within("acme", "acme")
    assert lies_within("acme.envs", "acme")
    assert not lies_within("acmeevil", "acme")
    assert not lies_within("acmeevil.envs", "acme")
    assert not lies_within("acme", "acme.envs")


def test_module_names() -> None:
    assert is_module_name("acme.envs")
    assert not any(map(is_module_name, ["", "*", "acme.*", "acme.", "acme:Env", "acme\n", "a b", "__main__"]))


@given(st.text(max_size=30))
def test_whatever_is_accepted_is_plain(text: str) -> None:
    try:
        found = parse_entry_point(text)
    except EnvironmentRefused:
        return
    assert re.fullmatch(r"[A-Za-z0-9_.]+:[A-Za-z0-9_.]+", text)
    assert str(found) == text
    assert "__" not in {part[:2] for part in (*found.module.split("."), *found.attributes)}
