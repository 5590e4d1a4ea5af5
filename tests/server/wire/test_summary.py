"""Summaries of metadata.json and of spaces, against Minari's own serialisation."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from minari.serialization import serialize_space

from pytupli_registry.server.wire.spaces import describe_space
from pytupli_registry.server.wire.summary import benchmark_summary, summarize

IMAGE = spaces.Box(0, 255, (120, 160, 3), np.uint8)


@pytest.mark.parametrize(
    ("space", "described"),
    [
        (
            spaces.Box(-1, 1, (3,), np.float32),
            {"type": "Box", "dtype": "float32", "shape": [3], "low": -1.0, "high": 1.0},
        ),
        (spaces.Box(-np.inf, np.inf, (2,)), {"type": "Box", "dtype": "float32", "shape": [2]}),
        (spaces.Discrete(4, start=1), {"type": "Discrete", "dtype": "int64", "n": 4, "start": 1}),
        (spaces.MultiBinary(5), {"type": "MultiBinary", "n": 5}),
        (IMAGE, {"type": "Box", "dtype": "uint8", "shape": [120, 160, 3]}),
        (
            spaces.Tuple([spaces.Discrete(2), IMAGE]),
            {
                "type": "Tuple",
                "subspaces": [
                    {"type": "Discrete", "dtype": "int64", "n": 2, "start": 0},
                    {"type": "Box", "dtype": "uint8", "shape": [120, 160, 3]},
                ],
            },
        ),
        (
            spaces.Dict({"image": IMAGE, "goal": spaces.Text(8, charset="ab")}),
            {
                "type": "Dict",
                "subspaces": {
                    "goal": {"type": "Text", "min_length": 1, "max_length": 8},
                    "image": {"type": "Box", "dtype": "uint8", "shape": [120, 160, 3]},
                },
            },
        ),
    ],
    ids=str,
)
def test_spaces_as_minari_writes_them(space, described):
    assert describe_space(serialize_space(space)) == described


def test_multi_discrete_keeps_its_numbers():
    found = describe_space(serialize_space(spaces.MultiDiscrete([3, 4])))
    assert (found["type"], found["nvec"]) == ("MultiDiscrete", [3, 4])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type": "a b"}',
        '{"type": 3}',
        "[" * 100_000,
        '{"type": "Box", "low": [' + "1," * 5000,
        json.dumps({"type": "Dict", "subspaces": {}}).replace("{}", '{"a":' * 100 + "1" + "}" * 100),
        None,
        3,
    ],
)
def test_what_is_no_space_is_told_so_or_left_out(text):
    found = describe_space(text)
    assert found is None or found == {"type": "Dict", "subspaces": {}}


def test_large_spaces_cost_little():
    space = serialize_space(spaces.Box(0, 255, (240, 320, 3), np.uint8))
    began = time.process_time()
    assert describe_space(space)["shape"] == [240, 320, 3]
    assert time.process_time() - began < 1


def test_wide_spaces_are_cut():
    wide = {"type": "Tuple", "subspaces": [{"type": "Discrete", "n": 2}] * 1000}
    assert len(describe_space(json.dumps(wide))["subspaces"]) < 64


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = [
    "dataset_id",
    "total_episodes",
    "total_steps",
    "dataset_size",
    "minari_version",
    "data_format",
    "observation_space",
    "action_space",
    "env_spec",
    "author",
    "author_email",
    "description",
    "requirements",
    "jpeg_encoding",
    "ref_min_score",
    "docs_url",
]


@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_any_metadata_gives_storable_facts(metadata):
    found = summarize(json.dumps(metadata).encode())
    json.dumps(
        [found.further, found.observation_space, found.action_space, found.warnings], allow_nan=False
    ).encode()
    for number in (found.total_episodes, found.total_steps, found.size):
        assert number is None or 0 <= number < 1 << 63
    for text, longest in (
        (found.dataset_id, 512),
        (found.environment_id or "", 255),
        (found.data_format or "", 32),
        (found.minari_version or "", 64),
        (found.observation_kind or "", 32),
    ):
        assert len(text) <= longest
        assert "\0" not in text
        text.encode()


def test_the_environment_is_read_as_data():
    spec = json.dumps({"id": "ns/Evil-v0", "entry_point": "os:system", "kwargs": {"command": "true"}})
    assert summarize(json.dumps({"env_spec": spec}).encode()).environment_id == "ns/Evil-v0"


def test_versions_that_minari_hides_are_told():
    assert summarize(b'{"minari_version": "0.9.0"}').warnings[-1].startswith("Minari 0.5.4 does not show")
    supported = __import__("minari").supported_dataset_versions
    for version in supported:
        assert "does not show" not in " ".join(
            summarize(json.dumps({"minari_version": version}).encode()).warnings
        )


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": "other", "name": "x"}', b'{"name": "x"}'])
def test_other_files_are_no_benchmarks(content):
    assert benchmark_summary(content) == {}


def test_a_benchmark_in_short():
    said = {
        "format": "pytupli-benchmark",
        "name": "hvac",
        "description": "Heat.",
        "tags": ["control", 3],
        "environment": {"id": "HVAC-v0", "entry_point": "a:b"},
    }
    assert benchmark_summary(json.dumps(said).encode()) == {
        "name": "hvac",
        "description": "Heat.",
        "environment_id": "HVAC-v0",
        "tags": ["control"],
    }
