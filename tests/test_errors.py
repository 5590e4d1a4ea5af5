from __future__ import annotations

import inspect
import pickle

import pytest

from pytupli_registry import errors
from pytupli_registry.errors import PytupliError, did_you_mean

EXAMPLES = [
    PytupliError("It failed."),
    PytupliError("It failed.", hint="Do this."),
    errors.InvalidReference("a b", "no name", hint="Use letters."),
    errors.DatasetNotFound("cartpole/mixd-v0", "the local store", known=["cartpole/mixed-v0"]),
    errors.DatasetExists("cartpole/mixed-v0"),
    errors.BenchmarkNotFound("hvca", "the local store", known=["hvac"]),
    errors.BenchmarkExists("benchmarks/hvac"),
    errors.FormatError("data.hdf5", "it is empty", where="/episode_0", hint="Copy it again."),
    errors.UnsafeFile("data.hdf5", "it links elsewhere"),
    errors.StaleIndex("episodes.parquet", "it is of another file"),
    errors.UnsupportedFormat("benchmark.json", "it is of format version 9", hint="Upgrade."),
    errors.SpaceError("No space."),
    errors.EpisodeError("No steps."),
    errors.WriteError("Disk full."),
    errors.ArtifactError("No data."),
    errors.EnvironmentRefused("Not here."),
    errors.ConsentRequired("Not yet.", hashes=["ab"], runs=["acme:Env()"], hint="Consent."),
    errors.RequirementsMissing("Not installed.", missing=["acme>=1"], hint="pip install 'acme>=1'"),
    errors.FilterError("Wrong.", text="a b", position=2),
    errors.FilterSyntaxError("Wrong.", text="a b", position=2, hint="Write a == b."),
    errors.UnknownField("lenght", ["length", "seed"], text="lenght > 3", position=0),
    errors.FilterTypeError("Text is no number."),
    errors.AdapterError("No adapter."),
    errors.HubError("No such user.", status=404),
    errors.HubUnreachable("Nobody answers.", hint="Start it."),
    errors.NotCached("acme/hvac"),
    errors.CommitConflict("It has changed.", status=412),
    errors.ChecksumError("Not what was named."),
    errors.FileNotInRepository("acme/hvac", "0" * 40, "README.md"),
    errors.RevisionNotFound("acme/hvac", "v9"),
    errors.RepositoryNotFound("acme/hvac", "https://hub.example"),
    errors.PublicationRefused("hvac", ["It has no card.", "It is empty."], hint="Mend both."),
    errors.SelectionChanged("july", ["episodes: 2 became 3"], source="hf://acme/hvac@main/summer-v0"),
    errors.ViewExists("july", "0" * 64),
    errors.ViewNotFound("jully", "acme/hvac/summer-v0", known=["july"]),
]


def drawn_tree() -> dict[str, str | None]:
    """Parse the tree in the module's docstring: error -> its parent."""
    parents: dict[str, str | None] = {}
    stack: list[tuple[int, str]] = []
    for line in inspect.getdoc(errors).splitlines():
        words = line.replace("│", " ").replace("├── ", "    ").replace("└── ", "    ")
        depth = len(words) - len(words.lstrip())
        if depth < 4 or not words.strip():
            continue
        while stack and stack[-1][0] >= depth:
            stack.pop()
        name = words.split()[0]
        parents[name] = stack[-1][1] if stack else None
        stack.append((depth, name))
    return parents


def actual_tree() -> dict[str, str | None]:
    classes = [
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PytupliError)
    ]
    return {kind.__name__: None if kind is PytupliError else kind.__bases__[0].__name__ for kind in classes}


def test_the_tree_in_the_docstring_is_the_real_one():
    assert len(actual_tree()) > 10
    assert drawn_tree() == actual_tree()


def test_every_error_is_exported():
    assert set(errors.__all__) == set(actual_tree()) | {"did_you_mean"}


def test_every_error_has_an_example_here():
    assert {type(error).__name__ for error in EXAMPLES} == set(actual_tree())


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_survive_the_way_back_from_a_worker(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert str(back) == str(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_the_text_is_message_and_hint(error):
    assert str(error).startswith(error.message)
    if error.hint is not None:
        assert error.hint in str(error)


def test_fields_of_the_errors():
    assert errors.InvalidReference("a b", "no name").text == "a b"
    assert errors.DatasetNotFound("x-v0", "here").reference == "x-v0"
    assert errors.DatasetExists("x-v0").reference == "x-v0"
    found = errors.FormatError("f.hdf5", "it is empty", where="/a")
    assert (found.path, found.where, found.problem) == ("f.hdf5", "/a", "it is empty")
    assert str(found) == "f.hdf5, at /a: it is empty."
    assert errors.UnknownField("x", []).name == "x"


def test_a_filter_error_points_at_the_character():
    error = errors.FilterError("Wrong.", text="a ?? b", position=2)
    assert str(error).splitlines() == ["Wrong.", "  a ?? b", "    ^"]


def test_unknown_names_suggest_the_close_one_or_list_all():
    assert errors.UnknownField("lenght", ["length", "seed"]).hint == "Did you mean 'length'?"
    assert errors.UnknownField("zzz", ["seed", "length"]).hint == "Fields here: length, seed."
    assert errors.UnknownField("zzz", []).hint is None
    assert errors.DatasetNotFound("mixd-v0", "here", known=["mixed-v0"]).hint == "Did you mean 'mixed-v0'?"
    assert "pytupli list" in errors.DatasetNotFound("zzz", "here", known=["mixed-v0"]).hint


def test_did_you_mean():
    assert did_you_mean("rewrad", ["reward", "length"]) == "Did you mean 'reward'?"
    assert did_you_mean("zzz", ["reward"]) is None
    assert did_you_mean("reward", []) is None
