from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from minari import serialization
from minari.dataset import minari_storage

from pytupli_registry.dataset.leaves import flatten
from pytupli_registry.dataset.spaces import from_gymnasium, is_image, leaf_spaces, to_gymnasium
from pytupli_registry.errors import SpaceError

CASES = {
    "box": spaces.Box(-1, 2, (3, 2), np.float32),
    "unbounded box": spaces.Box(-np.inf, np.inf, (2,), np.float64),
    "uneven box": spaces.Box(np.array([-1.5, 0.0]), np.array([0.25, np.inf]), dtype=np.float64),
    "scalar box": spaces.Box(-3, 4, (), np.float64),
    "integer box": spaces.Box(-5, 5, (2,), np.int16),
    "image": spaces.Box(0, 255, (40, 32, 3), np.uint8),
    "discrete": spaces.Discrete(5),
    "discrete from -2": spaces.Discrete(5, start=-2),
    "multi-discrete": spaces.MultiDiscrete([3, 4]),
    "multi-discrete from": spaces.MultiDiscrete(
        np.array([[2, 3], [4, 5]]), dtype=np.int32, start=[[1, 2], [3, 4]]
    ),
    "multi-binary": spaces.MultiBinary(4),
    "multi-binary matrix": spaces.MultiBinary([2, 3]),
    "text": spaces.Text(max_length=7, min_length=2, charset="abcé"),
    "dict": spaces.Dict(b=spaces.Discrete(2), a=spaces.Dict(x=spaces.Box(0, 1, (2,)))),
    "tuple": spaces.Tuple((spaces.Discrete(2), spaces.Tuple((spaces.MultiBinary(2), spaces.Text(3))))),
}
BOX = {"type": "Box", "dtype": "float32", "shape": [2], "low": [0, 0], "high": [1, 1]}


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def space(request):
    return CASES[request.param]


def test_spaces_come_back_the_same(space):
    description = json.loads(json.dumps(from_gymnasium(space)))
    found = to_gymnasium(description)
    assert found == space
    assert found.dtype == space.dtype
    assert found.shape == space.shape


# Minari itself cannot write a MultiBinary space of rank 2.
@pytest.mark.parametrize("space", [CASES[name] for name in CASES if name != "multi-binary matrix"])
def test_descriptions_are_minaris(space):
    assert from_gymnasium(space) == json.loads(serialization.serialize_space(space))


def test_minari_reads_our_descriptions(space):
    assert serialization.deserialize_space(json.dumps(from_gymnasium(space))) == space


def test_leaves_are_those_of_a_sample(space):
    space.seed(3)
    sample = flatten(space.sample(), "observations")
    found = leaf_spaces(from_gymnasium(space), "observations")
    assert set(found) == set(sample)
    for path, leaf in found.items():
        if leaf.kind == "Text":
            assert (leaf.dtype, leaf.shape) == (None, ())
        else:
            assert (leaf.dtype, leaf.shape) == (np.asarray(sample[path]).dtype, np.shape(sample[path]))


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 255, (32, 32), np.uint8),
        spaces.Box(0, 255, (32, 32, 3), np.uint8),
        spaces.Box(0, 255, (31, 32, 3), np.uint8),
        spaces.Box(0, 254, (32, 32, 3), np.uint8),
        spaces.Box(0, 255, (32, 32, 3), np.int16),
        spaces.Box(0, 255, (2, 32, 32, 3), np.uint8),
        spaces.Box(0, 255, (64,), np.uint8),
        spaces.Discrete(3),
    ],
)
def test_images_are_what_minari_takes_for_images(space):
    rule = minari_storage.is_image_space
    (leaf,) = leaf_spaces(from_gymnasium(space), "observations").values()
    assert is_image(leaf) == rule(space)


def test_other_spaces_are_refused():
    with pytest.raises(SpaceError, match="Graph"):
        from_gymnasium(spaces.Graph(spaces.Box(0, 1, (2,)), None))
    with pytest.raises(SpaceError, match="Sequence"):
        from_gymnasium(spaces.Dict(a=spaces.Sequence(spaces.Discrete(2))))


def nested(depth):
    description = {"type": "Discrete", "n": 2}
    for _ in range(depth):
        description = {"type": "Tuple", "subspaces": [description]}
    return description


HOSTILE = {
    "no dictionary": [1, 2],
    "nothing": {},
    "no kind": {"type": 3},
    "unknown kind": {"type": "Graph"},
    "code for a kind": {"type": "__import__('os')"},
    "text for a start": {"type": "Discrete", "n": 3, "start": "Infinity"},
    "text for starts": {"type": "MultiDiscrete", "nvec": [2, 3], "start": ["a", "b"]},
    "fractions of choices": {"type": "MultiDiscrete", "nvec": [2.5, 3.5]},
    "a text without letters": {"type": "Text", "max_length": 3},
    "a text without a length": {"type": "Text", "charset": "ab"},
    "a text of a list's length": {"type": "Text", "charset": "ab", "max_length": 3, "min_length": [1]},
    "no shape": {"type": "Box", "dtype": "float32", "low": 0, "high": 1},
    "no bounds": {"type": "Box", "dtype": "uint8", "shape": [64, 64, 3]},
    "bounds of another shape": {**BOX, "low": [0, 0, 0]},
    "ragged bounds": {**BOX, "low": [[0], [0, 1]]},
    "text for bounds": {**BOX, "low": ["a", "b"]},
    "negative extent": {**BOX, "shape": [-1]},
    "huge extent": {**BOX, "shape": [1 << 62]},
    "huge product": {**BOX, "shape": [1 << 20, 1 << 20, 0]},
    "huge bounds from a small file": {**BOX, "shape": [1 << 14, 1 << 14], "low": 0, "high": 1},
    "nan extent": {**BOX, "shape": [float("nan")]},
    "infinite extent": {**BOX, "shape": [float("inf")]},
    "extent of extents": {**BOX, "shape": [[2]]},
    "unknown dtype": {**BOX, "dtype": "float33"},
    "object dtype": {**BOX, "dtype": "O"},
    "text dtype": {**BOX, "dtype": "U5"},
    "record dtype": {**BOX, "dtype": "f4,f4"},
    "subarray dtype": {**BOX, "dtype": "(1000,1000)f8"},
    "broken dtype": {**BOX, "dtype": "(1"},
    "code for a dtype": {**BOX, "dtype": "(__import__('os'),)f8"},
    "date dtype": {**BOX, "dtype": "M8[ns]"},
    "dtype is no text": {**BOX, "dtype": {"a": 1}},
    "no values": {"type": "Discrete", "n": 0},
    "n is text": {"type": "Discrete", "n": "many"},
    "n is infinite": {"type": "Discrete", "n": float("inf")},
    "n is missing": {"type": "Discrete"},
    "ragged nvec": {"type": "MultiDiscrete", "nvec": [[1], [1, 2]]},
    "no nvec": {"type": "MultiDiscrete"},
    "huge binary": {"type": "MultiBinary", "n": 1 << 40},
    "huge binary matrix": {"type": "MultiBinary", "n": [1 << 20, 1 << 20]},
    "negative binary": {"type": "MultiBinary", "n": [-2]},
    "subspaces are no dictionary": {"type": "Dict", "subspaces": [BOX]},
    "subspaces are no list": {"type": "Tuple", "subspaces": {"a": BOX}},
    "no subspaces": {"type": "Dict"},
    "key with a slash": {"type": "Dict", "subspaces": {"a/b": BOX}},
    "empty key": {"type": "Dict", "subspaces": {"": BOX}},
    "key of dots": {"type": "Dict", "subspaces": {"..": BOX}},
    "key with a NUL": {"type": "Dict", "subspaces": {"a\0b": BOX}},
    "deep": nested(40),
    "very deep": nested(900),
    "wide": {"type": "Tuple", "subspaces": [{"type": "Discrete", "n": 2}] * 5000},
}


@pytest.mark.parametrize("description", HOSTILE.values(), ids=HOSTILE)
def test_hostile_descriptions_are_refused(description):
    with pytest.raises(SpaceError) as caught:
        leaf_spaces(description, "observations")
    assert len(str(caught.value)) < 400
    with pytest.raises(SpaceError):
        to_gymnasium(description)


ONLY_GYMNASIUM_REFUSES = {
    "nan bound": {**BOX, "low": [float("nan"), 0]},
    "zero categories": {"type": "MultiDiscrete", "nvec": [0, 2]},
    "huge n": {"type": "Discrete", "n": 1 << 80},
    "text without letters": {"type": "Text", "max_length": 3},
    "negative length": {"type": "Text", "max_length": -1, "charset": "ab"},
    "complex box": {**BOX, "dtype": "complex64"},
}


@pytest.mark.parametrize("description", ONLY_GYMNASIUM_REFUSES.values(), ids=ONLY_GYMNASIUM_REFUSES)
def test_what_gymnasium_cannot_build_is_a_space_error(description):
    with pytest.raises(SpaceError):
        to_gymnasium(description)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["Box", "Dict"]),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=4), parts, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150)
@given(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["Box", "Discrete", "MultiDiscrete", "MultiBinary", "Text", "Dict", "Tuple"]
            )
        },
        optional=dict.fromkeys(
            ("shape", "dtype", "low", "high", "n", "start", "nvec", "subspaces", "max_length", "charset"),
            json_values,
        ),
    )
)
def test_any_json_is_a_space_or_a_space_error(description):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium warns of odd bounds
        try:
            to_gymnasium(description)
        except SpaceError:
            return
    assert leaf_spaces(description, "x") is not None


def test_describing_a_space_imports_no_gymnasium():
    import subprocess
    import sys

    code = (
        "import sys; from pytupli_registry.dataset.spaces import leaf_spaces;"
        "leaf_spaces({'type': 'Discrete', 'n': 2}, 'x'); print('gymnasium' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
