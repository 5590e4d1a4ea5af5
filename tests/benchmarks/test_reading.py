"""benchmark.json comes in through one door, which nothing hostile passes."""

import copy
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.benchmarks.reading import (
    json_schema,
    read_specification,
    specification_from_json,
    specification_to_json,
)
from pytupli_registry.errors import FormatError, UnsupportedFormat

SHA = "ab" * 32


def whole():
    """Return a benchmark that uses every part of the format."""
    return {
        "format": "pytupli-benchmark",
        "format_version": 1,
        "name": "hvac",
        "title": "Heating",
        "description": "Keep a house warm.\nCheaply.",
        "difficulty": "medium",
        "version": "1.2",
        "tags": ["energy"],
        "metadata": {"site": {"city": "Graz", "rooms": [1, 2.5, None, True]}},
        "environment": {
            "id": "acme/HVAC-v0",
            "entry_point": "acme.hvac:HVAC",
            "kwargs": {"weather": {"$artifact": "weather"}, "minutes": 15},
            "max_episode_steps": 96,
            "reward_threshold": -3.5,
            "nondeterministic": False,
            "order_enforce": True,
            "wrappers": [
                {"name": "ClipAction", "entry_point": "gymnasium.wrappers:ClipAction", "kwargs": {}}
            ],
            "observation_space": {
                "type": "Dict",
                "subspaces": {
                    "indoor": {
                        "type": "Box",
                        "dtype": "float32",
                        "shape": [3],
                        "low": "-Infinity",
                        "high": [1, 2, "Infinity"],
                    },
                    "mode": {"type": "Discrete", "dtype": "int64", "start": 0, "n": 3},
                },
            },
            "action_space": {"type": "Box", "dtype": "float32", "shape": [1], "low": -1.0, "high": 1.0},
        },
        "artifacts": {
            "weather": {
                "sha256": SHA,
                "size": 10,
                "codec": "file",
                "file_name": "weather.csv",
                "details": {},
            },
            "rollouts": {"sha256": "cd" * 32, "size": 10, "codec": "rollouts", "file_name": "rollouts.zip"},
            "cql": {"sha256": "ef" * 32, "size": 10, "codec": "policy", "file_name": "cql.d3"},
        },
        "requirements": [{"requirement": "gymnasium[box2d]>=1.0", "recorded": "1.0.0"}],
        "evaluation": {"episodes": 5, "seed": 3, "discount": 0.9},
        "reference_scores": {
            "random": {"mean": -10.0, "std": 1.0, "episodes": 5, "seed": 3, "source": "uniform"}
        },
        "rollouts": {"artifact": "rollouts", "episodes": 3, "recorded_with": {"numpy": "2.4.6"}},
        "policies": {"cql": {"artifact": "cql", "format": "d3", "algorithm": "CQL"}},
        "datasets": {"summer-v0": {"sha256": SHA, "size": 1, "episodes": 2, "steps": 30}},
        "licence": "MIT",
        "authors": ["Ada"],
        "citation": "@misc{…}",
        "source": "https://example.org/commit/abc",
    }


def changed(path, value):
    """Return the whole benchmark with one value replaced (or removed, for ...)."""
    document = copy.deepcopy(whole())
    place = document
    *above, last = path
    for part in above:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


def test_every_part_comes_back():
    specification = specification_from_json(json.dumps(whole()))
    again = specification_from_json(specification_to_json(specification))
    assert again == specification
    written = json.loads(specification_to_json(specification))
    for key, value in whole().items():
        if key not in {"artifacts", "environment", "policies", "datasets"}:
            assert written[key] == value, key
    assert written["environment"] == whole()["environment"]


HOSTILE = {
    "entry point with a call": (["environment", "entry_point"], "os:system('true')"),
    "entry point without a name": (["environment", "entry_point"], "os"),
    "entry point with a path": (["environment", "entry_point"], "../evil:Env"),
    "entry point with a space": (["environment", "entry_point"], "os :system"),
    "entry point as a list": (["environment", "entry_point"], ["os", "system"]),
    "wrapper with a lambda": (["environment", "wrappers", 0, "entry_point"], "a:<lambda>"),
    "wrapper without arguments": (["environment", "wrappers", 0, "kwargs"], None),
    "environment id that imports": (["environment", "id"], "evil_module:Env-v0"),
    "artifact that climbs": (["artifacts", "weather", "file_name"], "../../etc/passwd"),
    "artifact at the root": (["artifacts", "weather", "file_name"], "/etc/passwd"),
    "artifact in a directory": (["artifacts", "weather", "file_name"], "a/b"),
    "artifact with a backslash": (["artifacts", "weather", "file_name"], "..\\b"),
    "hidden artifact": (["artifacts", "weather", "file_name"], ".bashrc"),
    "artifact with a newline": (["artifacts", "weather", "file_name"], "a\n"),
    "artifact with a null byte": (["artifacts", "weather", "file_name"], "a\x00b"),
    "hash of another length": (["artifacts", "weather", "sha256"], "ab"),
    "hash with a path": (["artifacts", "weather", "sha256"], "../" * 21 + "a"),
    "hash in capitals": (["artifacts", "weather", "sha256"], "AB" * 32),
    "negative size": (["artifacts", "weather", "size"], -1),
    "endless size": (["artifacts", "weather", "size"], 10**30),
    "artifact that is not there": (["environment", "kwargs", "weather"], {"$artifact": "elsewhere"}),
    "rollouts that are not there": (["rollouts", "artifact"], "elsewhere"),
    "policy that is not there": (["policies", "cql", "artifact"], "elsewhere"),
    "requirement with an option": (["requirements", 0, "requirement"], "--index-url http://evil"),
    "requirement with a URL": (["requirements", 0, "requirement"], "x @ http://evil/x.whl"),
    "requirement with a shell": (["requirements", 0, "requirement"], "x; rm -rf ~"),
    "dataset that climbs": (["datasets"], {"../x-v0": {"sha256": SHA, "size": 1, "episodes": 1, "steps": 1}}),
    "name that climbs": (["name"], "../hvac"),
    "name with an escape": (["title"], "\x1b[2Jtitle"),
    "unknown key": (["surprise"], 1),
    "no environment": (["environment"], ...),
    "no observation space": (["environment", "observation_space"], ...),
    "space of an unknown kind": (["environment", "action_space"], {"type": "Graph"}),
    "space that would not fit": (
        ["environment", "action_space"],
        {"type": "Box", "dtype": "float32", "shape": [10**9, 10**9], "low": 0, "high": 1},
    ),
    "space of objects": (
        ["environment", "action_space"],
        {"type": "Box", "dtype": "object", "shape": [1], "low": 0, "high": 1},
    ),
    "space with a false bound": (
        ["environment", "action_space"],
        {"type": "Box", "dtype": "float32", "shape": [1], "low": "__import__", "high": 1},
    ),
    "no steps": (["environment", "max_episode_steps"], 0),
    "data-only with arguments": (["environment", "entry_point"], None),
    "no episodes": (["evaluation", "episodes"], 0),
    "discount of two": (["evaluation", "discount"], 2),
    "another format": (["format"], "pickle"),
    "no format": (["format"], ...),
    "version as text": (["format_version"], "1"),
    "version as truth": (["format_version"], True),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_a_benchmark_cannot_say_is_refused_with_the_place(case):
    path, value = HOSTILE[case]
    with pytest.raises(FormatError) as caught:
        specification_from_json(json.dumps(changed(path, value)))
    assert caught.value.where
    assert str(path[0]) in str(caught.value)


@pytest.mark.parametrize("version", [0, 2, 99, -1])
def test_unknown_versions_are_refused_with_what_to_do(version):
    with pytest.raises(UnsupportedFormat, match=f"format version {version}") as caught:
        specification_from_json(json.dumps(changed(["format_version"], version)))
    assert caught.value.hint


TEXTS = {
    "nothing": "",
    "no JSON": "{",
    "a list": "[]",
    "a number": "1",
    "NaN": json.dumps(whole()).replace("-3.5", "NaN"),
    "Infinity": json.dumps(whole()).replace("-3.5", "-Infinity"),
    "a key twice": json.dumps(whole())[:-1] + ', "name": "other"}',
    "nested lists": '{"format": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "nested metadata": json.dumps(changed(["metadata"], {"a": json.loads("[" * 300 + "]" * 300)})),
    "a long integer": json.dumps(whole()).replace("-3.5", "1" * 100_000),
    "a lone surrogate in metadata": json.dumps(changed(["metadata"], {"a": ["\ud800"]})),
    "a lone surrogate for a key": json.dumps(changed(["metadata"], {"\udfff": 1})),
    "many keys, one twice": "{" + ",".join(f'"{number}":0' for number in [*range(300_000), 299_999]) + "}",
    "a lone surrogate": json.dumps(changed(["title"], "\ud800")),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts_that_are_no_benchmark_are_refused(case):
    with pytest.raises(FormatError):
        specification_from_json(TEXTS[case])


def test_pairs_of_surrogates_are_a_letter():
    text = json.dumps(changed(["metadata"], {"a": "\N{SNAKE}"}))
    assert "\\ud83d\\udc0d" in text
    assert specification_from_json(text).metadata == {"a": "\N{SNAKE}"}


def test_a_gigabyte_is_not_read(tmp_path):
    with (tmp_path / "benchmark.json").open("wb") as file:
        file.write(b'{"format": ' + b"[" * 1000)
        file.truncate(1 << 30)  # sparse: reading it would take the memory, writing it does not take the disk
    with pytest.raises(FormatError, match="larger than"):
        read_specification(tmp_path)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "benchmark.json")  # opening it would wait for ever
    with pytest.raises(FormatError, match="no regular file"):
        read_specification(tmp_path)
    with pytest.raises(FormatError, match="cannot be read"):
        read_specification(tmp_path / "missing")


def test_bytes_that_are_not_utf8_are_refused(tmp_path):
    (tmp_path / "benchmark.json").write_bytes(b'{"format": "\xff"}')
    with pytest.raises(FormatError, match="UTF-8"):
        read_specification(tmp_path)


def test_all_problems_are_listed():
    document = changed(["name"], "../x") | {"licence": 3, "tags": "no"}
    with pytest.raises(FormatError) as caught:
        specification_from_json(json.dumps(document))
    for key in ("name", "licence", "tags"):
        assert key in str(caught.value)


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)


def places(document, above=()):
    yield above
    if isinstance(document, dict):
        for key in document:
            yield from places(document[key], (*above, key))
    elif isinstance(document, list):
        for position in range(len(document)):
            yield from places(document[position], (*above, position))


@given(place=st.sampled_from([place for place in places(whole()) if place]), value=JSON)
def test_any_value_anywhere_is_taken_or_refused_cleanly(place, value):
    text = json.dumps(changed(list(place), value))
    try:
        specification = specification_from_json(text)
    except FormatError:
        return
    assert specification_from_json(specification_to_json(specification)) == specification


def test_reading_imports_nothing_that_is_named(tmp_path):
    """Nor anything heavy: a catalog of a thousand benchmarks is listed without Gymnasium."""
    (tmp_path / "benchmark.json").write_text(
        json.dumps(changed(["environment", "entry_point"], "antigravity:Env"))
    )
    script = (
        "import sys, pathlib\n"
        "from pytupli_registry.benchmarks.reading import read_specification\n"
        f"read_specification(pathlib.Path({str(tmp_path)!r}))\n"
        "print({'antigravity', 'acme', 'gymnasium', 'torch', 'pandas', 'd3rlpy', 'h5py'} & set(sys.modules))\n"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "set()"


def test_the_schema_is_the_published_one():
    from pathlib import Path

    published = Path(__file__).parents[2] / "docs" / "benchmark.schema.json"
    assert json.loads(published.read_text()) == json_schema()
