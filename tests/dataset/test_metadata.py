from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.errors import FormatError

BOX = {"type": "Box", "dtype": "float32", "shape": [1], "low": [0.0], "high": [1.0]}
DISCRETE = {"type": "Discrete", "dtype": "int64", "start": 0, "n": 2}
CONTENT = {
    "total_episodes": 3,
    "total_steps": 12,
    "data_format": "hdf5",
    "jpeg_encoding": False,
    "observation_space": json.dumps(BOX),
    "action_space": json.dumps(DISCRETE),
    "env_spec": '{"id": "CartPole-v1"}',
    "dataset_id": "cartpole/mixed-v0",
    "minari_version": "0.5.0",
    "author": ["A", "B"],
    "ref_min_score": 1.5,
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=4), parts, max_size=3),
    max_leaves=6,
)
extras = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda key: key not in CONTENT), json_values, max_size=4
)


@given(
    st.builds(
        DatasetMetadata,
        dataset_id=st.from_regex(r"([a-z]{2,5}/){0,2}[a-z]{1,5}-v[0-9]{1,3}", fullmatch=True),
        total_episodes=st.integers(0, 10**9),
        total_steps=st.integers(0, 10**12),
        observation_space=st.just(BOX),
        action_space=st.just(DISCRETE),
        env_spec=st.none() | st.text(min_size=1),
        jpeg_encoding=st.booleans(),
        extra=extras,
    )
)
def test_metadata_comes_back_from_its_json(metadata):
    assert DatasetMetadata.from_json(metadata.to_json()) == metadata
    assert DatasetMetadata.from_json(metadata.to_json().encode()) == metadata


def test_what_minari_writes():
    found = DatasetMetadata.from_json(json.dumps(CONTENT))
    assert (found.dataset_id, found.total_episodes, found.total_steps) == ("cartpole/mixed-v0", 3, 12)
    assert (found.observation_space, found.action_space) == (BOX, DISCRETE)
    assert found.environment_id == "CartPole-v1"
    assert found.extra == {"author": ["A", "B"], "ref_min_score": 1.5}
    assert json.loads(found.to_json()) == CONTENT


def test_without_the_key_images_are_lossy_as_minari_has_it():
    content = {key: value for key, value in CONTENT.items() if key != "jpeg_encoding"}
    assert DatasetMetadata.from_json(json.dumps(content)).jpeg_encoding


def test_other_counts():
    found = DatasetMetadata.from_json(json.dumps(CONTENT)).with_counts(4, 20)
    assert (found.total_episodes, found.total_steps, found.dataset_id) == (4, 20, "cartpole/mixed-v0")


@pytest.mark.parametrize("env_spec", [None, "", "no json", "[1]", '{"id": 3}', "{}", "[" * 100_000])
def test_an_environment_without_an_id_has_none(env_spec):
    metadata = DatasetMetadata("x-v0", 0, 0, BOX, DISCRETE, env_spec=env_spec)
    assert metadata.environment_id is None


HOSTILE = {
    "missing counts": {"total_episodes": None},
    "count is text": {"total_steps": "12"},
    "count is true": {"total_episodes": True},
    "count is a float": {"total_steps": 12.5},
    "negative count": {"total_steps": -1},
    "count is nan": {"total_steps": float("nan")},
    "no id": {"dataset_id": None},
    "id leaves the store": {"dataset_id": "../../etc/x-v0"},
    "absolute id": {"dataset_id": "/x-v0"},
    "id with backslashes": {"dataset_id": "a\\b-v0"},
    "id with a NUL": {"dataset_id": "a\0-v0"},
    "id with a newline": {"dataset_id": "a-v0\n"},
    "id with foreign digits": {"dataset_id": "a-v\u0663"},
    "id without a version": {"dataset_id": "cartpole"},
    "overlong id": {"dataset_id": "!" * 1_000_000},
    "other format": {"data_format": "arrow"},
    "format is no text": {"data_format": 5},
    "no observation space": {"observation_space": None},
    "space is no json": {"action_space": "Discrete(2)"},
    "space is a list": {"action_space": "[1, 2]"},
    "space has no type": {"action_space": "{}"},
    "space is a number": {"observation_space": 5},
    "space is deep": {"observation_space": "[" * 200_000},
    "environment is no text": {"env_spec": {"id": "x"}},
    "lossy is no truth": {"jpeg_encoding": "yes"},
    "version is a number": {"minari_version": 5},
    "no version": {"minari_version": None},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_metadata_is_refused(change):
    with pytest.raises(FormatError) as caught:
        DatasetMetadata.from_json(json.dumps(CONTENT | change), path="somewhere/metadata.json")
    assert "somewhere/metadata.json" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "3", "null", b"\xff\xfe", "[" * 200_000, '{"a": ' * 100_000, "1" * 10_000]
)
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(FormatError):
        DatasetMetadata.from_json(text)


@given(st.text(max_size=40) | json_values.map(json.dumps) | st.binary(max_size=40))
def test_any_text_is_metadata_or_a_format_error(text):
    with pytest.raises(FormatError):
        DatasetMetadata.from_json(text)


def test_a_missing_space_says_what_to_do():
    with pytest.raises(FormatError, match="build the environment"):
        DatasetMetadata.from_json(json.dumps(CONTENT | {"observation_space": None}))
