"""Cards: the Hub's sentences, and its tags."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import DatasetCardData, EvalResult, ModelCardData
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.wire.card import card_tags, plain_lines, read_card
from pytupli_registry.server.wire.licenses import LICENSES

MISSING = "empty or missing yaml metadata in repo card"


def card(front: str, repo_type: str = "dataset"):
    return read_card(f"---\n{front}\n---\n# Title\n", repo_type)


@pytest.mark.parametrize("license_", LICENSES)
def test_every_license_of_the_hub_is_taken(license_):
    assert card(f"license: {license_}").errors == ()
    assert card(f"license:\n- {license_}").errors == ()


@pytest.mark.parametrize(
    ("front", "error"),
    [
        ("license: MIT", '"license" must be one of [apache-2.0, mit, '),
        ("license: [mit, mine]", '"license[1]" must be one of [apache-2.0, mit, '),
        ("license: {a: b}", '"license" must be one of ['),
        (
            "language: pt_pt",
            '"language" with value "pt_pt" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code',
        ),
        ("language: [en, zh-CN]", '"language[1]" with value "zh-CN" is not valid.'),
        ("language: 3", '"language" must be a string'),
        ("tags: rl", '"tags" must be an array'),
        ("tags: [rl, 3]", '"tags[1]" must be a string'),
        (f"tags: [{'x' * 256}]", '"tags[0]" length must be less than or equal to 255 characters long'),
        ("pretty_name: [a]", '"pretty_name" must be a string'),
        ("- a", '"value" must be of type object'),
        ("hello", "The YAML metadata of your README.md is invalid."),
        ("", "The YAML metadata of your README.md is invalid."),
        ("license: [", "Invalid YAML in README.md: did not find expected node content (2:1)"),
    ],
)
def test_what_the_hub_does_not_take(front, error):
    found = card(front)
    assert found.errors[0].startswith(error)
    assert plain_lines(found).startswith(f"- Error: {error}")


@pytest.mark.parametrize(
    ("repo_type", "front", "error"),
    [
        ("model", "model-index: foo", '"model-index" must be an array'),
        ("model", "model-index: [{results: []}]", '"model-index[0].name" is required'),
        ("model", "model-index: [{name: a, results: [{}]}]", '"model-index[0].results[0].task" is required'),
        (
            "model",
            "base_model: /workspace/a/b",
            '"base_model" with value "/workspace/a/b" is not valid. Use a model id',
        ),
        ("model", "datasets: [a, b c]", '"datasets[1]" with value "b c" is not valid. Use a dataset id'),
        (
            "space",
            "colorFrom: teal",
            '"colorFrom" must be one of [red, yellow, green, blue, indigo, purple, pink, gray]',
        ),
        ("space", "sdk: flask", '"sdk" must be one of ['),
        (
            "space",
            f"short_description: {'x' * 61}",
            '"short_description" length must be less than or equal to 60',
        ),
    ],
)
def test_rules_of_models_and_spaces(repo_type, front, error):
    assert card(front, repo_type).errors[0].startswith(error)
    assert card(front, "dataset").errors == ()


def test_what_stock_clients_write_is_taken():
    result = EvalResult("reinforcement-learning", "acme/hvac", "HVAC", "mean_reward", 3.5)
    model = ModelCardData(
        language="en",
        license="mit",
        library_name="d3rlpy",
        tags=["rl"],
        datasets="acme/hvac",
        base_model="acme/base",
        metrics=["mean_reward"],
        model_name="policy",
        eval_results=[result],
    )
    dataset = DatasetCardData(
        language=["en", "code"],
        license=["bsd-3-clause"],
        annotations_creators=["machine-generated"],
        size_categories="1K<n<10K",
        task_categories=["reinforcement-learning"],
        pretty_name="HVAC",
        source_datasets=["original"],
    )
    for repo_type, written in (("model", model), ("dataset", dataset)):
        found = card(written.to_yaml(), repo_type)
        assert (found.errors, found.warnings) == ((), ())
        assert found.metadata == json.loads(json.dumps(written.to_dict()))


@pytest.mark.parametrize("text", ["# Title", "", "---\n---\n", "---\nlicense: mit\n---oops\n"])
def test_no_block_is_a_warning(text):
    found = read_card(text, "model")
    assert (found.errors, found.warnings, plain_lines(found)) == ((), (MISSING,), f"- Warning: {MISSING}")


def test_unofficial_categories_are_warnings():
    found = card("task_categories: [flying]\nsize_categories: many")
    assert found.errors == ()
    assert found.warnings[0].startswith('The task_categories "flying" is not in the official list: ')
    assert found.warnings[1].startswith('The size_categories "many" is not in the official list: ')


def test_tags_are_the_hubs():
    found = card(
        "license: mit\nlanguage: [en, de]\ntask_categories: [reinforcement-learning]\n"
        "size_categories: n<1K\ntags: [hvac, hvac, control]\npretty_name: HVAC"
    )
    assert card_tags(found.metadata, "dataset") == (
        "task_categories:reinforcement-learning",
        "language:en",
        "language:de",
        "license:mit",
        "size_categories:n<1K",
        "hvac",
        "control",
    )
    model = card("library_name: d3rlpy\ndatasets: acme/hvac\nlicense: mit\ntags: [rl]\nlanguage: en", "model")
    assert card_tags(model.metadata, "model") == ("d3rlpy", "rl", "en", "dataset:acme/hvac", "license:mit")


names = st.sampled_from(
    ["license", "language", "tags", "task_categories", "model-index", "datasets", "sdk", "x"]
)
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(names, values), st.sampled_from(["dataset", "model", "space"]))
def test_any_card_gets_an_answer(metadata, repo_type):
    found = card(json.dumps(metadata), repo_type)
    assert all(isinstance(text, str) for text in (*found.errors, *found.warnings))
    for tag in card_tags(found.metadata, repo_type):
        assert 0 < len(tag.lower()) <= 255


def test_answers_stay_small():
    found = card("license: [" + "x," * 20_000 + "x]\ntask_categories: [" + "y," * 10_000 + "y]")
    assert len(found.errors) == len(found.warnings) == 20
