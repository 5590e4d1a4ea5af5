"""Arguments that data may hand over, and those it may not."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from fractions import Fraction
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.environments.arguments import is_argument_name, objections
from pytupli_registry.environments.permissions import Permissions

NOTHING = Permissions()


def problems(value: object, **known: object) -> list[str]:
    return [objection.problem for objection in objections(value, known.pop("permissions", NOTHING), **known)]


PLAIN = [
    None,
    True,
    3,
    -2.5,
    float("inf"),
    float("nan"),
    b"\x80\x04bytes",
    bytearray(b"x"),
    np.float32(2),
    np.int8(3),
    np.bool_(True),
    np.datetime64("2026-01-01"),
    np.str_("8x8"),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.timedelta(hours=1),
    np.arange(6.0).reshape(2, 3),
    np.array(["a/b", "c"]),
    np.zeros(2, dtype=[("a", "f4"), ("b", "i8")]),
    pd.DataFrame(
        {"time": pd.date_range("2026", periods=3, tz="UTC"), "wind": [1.0, 2.0, 3.0], "who": ["a", "b", None]}
    ),
    pd.DataFrame({"kind": pd.Categorical(["a", "b"])}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    pd.DataFrame({"mixed": pd.Series(["a", 1, None], dtype=object)}),
    pd.DataFrame([[1, "x"]], columns=["twice", "twice"]),
    pd.Series([1, 2], name="wind"),
    pd.Timestamp("2026-01-01"),
    "",
    "8x8",
    "SFFF",
    "rgb_array",
    "hopper.xml",
    "version 2.0",
    "+1",
    [1, (2, 3), {"a": [None, "b"]}, {4: 5}],
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_plain_data_is_handed_over(value: object) -> None:
    assert problems(value) == []


TEXTS = [
    "/etc/passwd",
    "..",
    ".hidden.xml",
    "../up.csv",
    "a/b",
    "a\\b",
    "C:model",
    "os:system",
    "os.system",
    "https://example.org",
    "model.pkl",
    "model.PKL",
    "model.csv.pt",
    "policy.zip",
    "setup.py",
    "lib.so",
    "-rf",
    "--index-url",
    "~",
    "$HOME",
    "`id`",
    "a;b",
    "a|b",
    "a\nb",
    "8x8\n",
    "\x1b[2J",
    "\u202e8x8",
    "８x8",  # noqa: RUF001 - a full-width digit
    "a" * 65,
    "lambda x: x",
    "__import__('os')",
    "CartPole-v1",
    "GymV26Environment-v0",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_that_may_mean_more_are_not(text: str) -> None:
    (problem,) = problems(text)
    assert "may name" in problem
    assert problem.isascii()
    assert problem.isprintable()
    assert problems({"deep": [(text,)]}) == [problem]
    assert problems({text: 1}) == [problem]


def test_a_text_that_is_registered_anyway_is_no_more_than_that() -> None:
    assert problems("/srv/map.yaml", default="/srv/map.yaml") == []
    assert problems("/srv/other.yaml", default="/srv/map.yaml")
    assert problems(["/srv/map.yaml"], default="/srv/map.yaml")


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        print,
        lambda: None,
        int,
        os,
        object(),
        Fraction(1, 2),
        np.array([print, None]),
        np.ma.masked_array([1, 2]),
        np.dtype("f4"),
        pd.DataFrame({"a": [print, os.system]}),
        pd.Series([object()], dtype=object),
        pd.Series(pd.Categorical([print, print])),
        pd.DataFrame({"a": [1]}, index=[Fraction(1, 2)]),
        pd.DataFrame([[1]], columns=[Fraction(1, 2)]),
        type("DataFrame", (), {"__module__": "pandas.core.frame", "columns": [], "axes": [print]})(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_data_is_not(value: object) -> None:
    (problem,) = problems([value])
    assert "neither a number nor other plain data" in problem


def test_a_subclass_of_text_is_judged_as_the_text_it_is() -> None:
    assert problems(Text("8x8")) == []
    assert problems(Text("os:system"))


def test_sizes_are_bounded() -> None:
    assert "too large" in problems(1 << 63)[0]
    assert "too large" in problems(-1e300)[0]
    assert "larger" in problems([0] * 1_000_001)[0]
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert "nested deeper" in problems(nested)[0]


def test_files_of_data_are_handed_over_and_others_need_consent(tmp_path: Path) -> None:
    wind, policy = tmp_path / "wind.CSV", tmp_path / "policy.pkl"
    wind.write_text("1")
    policy.write_bytes(b"\x80\x04.")
    digest = hashlib.sha256(b"\x80\x04.").hexdigest()
    assert problems(wind) == []
    (objection,) = objections([policy], NOTHING)
    assert objection.hashes == (digest,)
    assert "can hold code" in objection.problem
    consent = Permissions(consents=frozenset({digest}))
    assert problems(policy, permissions=consent) == []
    policy.write_bytes(b"\x80\x04changed.")
    assert "can hold code" in problems(policy, permissions=consent)[0]


@pytest.mark.parametrize(
    "name",
    [
        "a.pkl",
        "a.pickle",
        "a.pt",
        "a.pth",
        "a.joblib",
        "a.d3",
        "a.so",
        "a.py",
        "a.pyc",
        "a.yaml",
        "a.yml",
        "a.zip",
        "a.gz",
        "a.dll",
        "a.csv.gz",
        "a",
        ".csv",
    ],
)
def test_only_known_formats_of_data_need_no_consent(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert "can hold code" in problems(tmp_path / name)[0]


def test_a_path_as_text_counts_only_where_an_artifact_was_read(tmp_path: Path) -> None:
    wind = tmp_path / "wind.csv"
    wind.write_text("1")
    assert "may name a file" in problems(str(wind))[0]
    assert problems(str(wind), files={wind: "hash"}) == []
    assert problems({"nested": [str(wind)]}, files={wind: "hash"}) == []
    assert "may name a file" in problems("/etc/passwd", files={wind: "hash"})[0]


def test_a_file_that_is_not_there_is_said() -> None:
    assert "cannot be read (No such file" in problems(PurePosixPath("/no/such/policy.pkl"))[0]


def test_names_of_arguments() -> None:
    assert is_argument_name("wind_speed2")
    assert not any(
        map(is_argument_name, ["", "__class__", "a b", "a.b", "2a", "\uff41", "a" * 65, None, 3, "a\n"])
    )


@given(st.recursive(st.text(max_size=8) | st.integers() | st.floats() | st.none(), st.lists, max_leaves=20))
def test_whatever_json_holds_gets_an_answer(value: object) -> None:
    assert all(problem.isprintable() for problem in problems(value))
