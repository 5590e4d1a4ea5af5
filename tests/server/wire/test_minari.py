"""The guard's rules, against what stock Minari really does with such files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.wire.minari import (
    NAMESPACE_FILE,
    NamespaceError,
    NamespaceFile,
    concerns,
    dataset_folder,
    folder_of_id,
    looks_like_minari,
    merge_namespace,
    metadata_path,
    metadata_problems,
    reconcile_namespaces,
)
from tests.server.wire import minari_listing

GOOD = {
    "dataset_id": "walker/expert-v0",
    "total_episodes": 2,
    "total_steps": 10,
    "dataset_size": 0.1,
    "minari_version": "0.5.4",
    "author": ["Ada"],
    "docs_url": "https://example.org",
}


def changed(**changes: object) -> bytes:
    said = {key: value for key, value in (GOOD | changes).items() if value is not ...}
    return json.dumps(said).encode()


def replaced(text: str) -> bytes:
    return changed(extra=None).replace(b"null", text.encode())


# Each ends `minari list` for everyone, and must be refused.
ENDS_LISTING = {
    "no JSON": b"{",
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "byte order mark": b"\xef\xbb\xbf" + changed(),
    "UTF-16": changed().decode().encode("utf-16"),
    "Latin-1": json.dumps(GOOD | {"description": "é"}, ensure_ascii=False).encode("latin-1"),
    "deep": replaced("[" * 3000 + "]" * 3000),
    "digits": replaced("9" * 5000),
    "no id": changed(dataset_id=...),
    "id without version": changed(dataset_id="walker/expert"),
    "id that is a number": changed(dataset_id=3),
    "id that is a list": changed(dataset_id=["walker/expert-v0"]),
    "id with a dot": changed(dataset_id="walker/a.b-v0"),
    "short namespace": changed(dataset_id="w/expert-v0"),
    "no episodes": changed(total_episodes=...),
    "no steps": changed(total_steps=...),
    "no size": changed(dataset_size=...),
    "episodes as text": changed(total_episodes="2"),
    "steps as list": changed(total_steps=[1]),
    "size as null": changed(dataset_size=None),
    "huge episodes": changed(total_episodes=10**15),
    "more than floats": changed(total_steps=10**400),
    "infinite": changed(total_steps=float("inf")),
    "version as list": changed(minari_version=["0.5.4"]),
    "markup in author": changed(author=["[/x]"]),
    "author as number": changed(author=3),
    "author of numbers": changed(author=[3]),
    "markup in URL": changed(docs_url="https://[::1]/"),
}
# Minari takes these as well as the plain one.
TAKEN = {
    "as it should be": changed(),
    "no author": changed(author=...),
    "one author": changed(author="Ada"),
    "no URL": changed(docs_url=...),
    "styled author": changed(author=["[bold]Ada"]),
    "newer version": changed(minari_version="0.9.9"),
    "nothing in it": changed(total_episodes=0, total_steps=0, dataset_size=0),
    "not a number elsewhere": replaced("NaN"),
}
NAMESPACES_THAT_END_LISTING = {
    "no JSON": b"{",
    "byte order mark": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"description": "\xff"}',
    "list": b"[]",
    "datasets null": b'{"datasets": null}',
    "datasets text": b'{"datasets": "walker/expert-v0"}',
    "datasets of numbers": b'{"datasets": [1]}',
    "namespaces null": b'{"namespaces": null}',
    "namespaces text": b'{"namespaces": "walker"}',
    "namespaces object": b'{"namespaces": {"walker/left": 1}}',
}
NAMESPACES_TAKEN = {
    "empty": b"{}",
    "listed": b'{"datasets": ["walker/expert-v0"]}',
    "twice": b'{"datasets": ["walker/expert-v0", "walker/expert-v0"]}',
    "with namespaces": b'{"namespaces": ["walker/left"], "description": "d"}',
}


@pytest.fixture(scope="module")
def listings(tmp_path_factory) -> dict[str, str | None]:
    """What Minari raised for each organization, or None."""
    home = tmp_path_factory.mktemp("home")
    path = metadata_path("expert-v0")
    listed = json.dumps({"datasets": ["walker/expert-v0"]}).encode()
    organizations = {
        **{
            _name("m", name): {NAMESPACE_FILE: listed, path: text}
            for name, text in (ENDS_LISTING | TAKEN).items()
        },
        **{
            _name("n", name): {NAMESPACE_FILE: text, path: changed()}
            for name, text in (NAMESPACES_THAT_END_LISTING | NAMESPACES_TAKEN).items()
        },
        "root": {"data/metadata.json": b"{}"},
        "root-with-namespace": {"data/metadata.json": b"{}", NAMESPACE_FILE: b"{}"},
        "missing": {NAMESPACE_FILE: listed},
        "elsewhere": {NAMESPACE_FILE: b'{"datasets": ["other/a-v0"]}'},
        "zeros": {
            NAMESPACE_FILE: b'{"datasets": ["walker/expert-v01", "walker/expert-v2"]}',
            metadata_path("expert-v01"): changed(dataset_id="walker/expert-v01"),
            metadata_path("expert-v2"): changed(dataset_id="walker/expert-v2"),
        },
    }
    with minari_listing.serve({name: {"walker": files} for name, files in organizations.items()}) as url:
        done = subprocess.run(
            [sys.executable, Path(minari_listing.__file__), *organizations],
            env={"PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": url},
            stdout=subprocess.PIPE,
            check=True,
            timeout=120,
        )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {answer["organization"]: answer["error"] for answer in answers}


def _name(kind: str, name: str) -> str:
    return f"{kind}-{name.replace(' ', '-')}"


@pytest.mark.parametrize("name", ENDS_LISTING)
def test_metadata_that_ends_the_listing_is_refused(listings, name):
    assert listings[_name("m", name)] is not None
    problems = metadata_problems(ENDS_LISTING[name], "expert-v0", ["walker"])
    assert problems
    assert all(problem.startswith("expert-v0/data/metadata.json: ") for problem in problems)


@pytest.mark.parametrize("name", TAKEN)
def test_metadata_that_minari_takes_is_taken(listings, name):
    assert listings[_name("m", name)] is None
    assert metadata_problems(TAKEN[name], "expert-v0", ["walker"]) == ()


@pytest.mark.parametrize("name", NAMESPACES_THAT_END_LISTING)
def test_namespace_files_that_end_the_listing_are_refused(listings, name):
    assert listings[_name("n", name)] is not None
    with pytest.raises(NamespaceError):
        NamespaceFile.read(NAMESPACES_THAT_END_LISTING[name])


@pytest.mark.parametrize("name", NAMESPACES_TAKEN)
def test_namespace_files_that_minari_takes_are_taken(listings, name):
    assert listings[_name("n", name)] is None
    NamespaceFile.read(NAMESPACES_TAKEN[name])


def test_why_the_tree_has_to_be_looked_at(listings):
    assert "RepositoryNotFoundError" in listings["root"]
    assert listings["root-with-namespace"] is None
    assert "EntryNotFoundError" in listings["missing"]
    assert "RepositoryNotFoundError" in listings["elsewhere"]
    assert "KeyError" in listings["zeros"]
    assert metadata_problems(changed(dataset_id="walker/expert-v01"), "expert-v01", ["walker"])


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("a-v0/data/metadata.json", "a-v0"),
        ("a/b/c-v0/data/0/part-0.arrow", "a/b/c-v0"),
        ("data/metadata.json", ""),
        ("data", None),
        ("README.md", None),
        ("a/data.txt", None),
        ("a/data/b/data/x", "a"),
    ],
)
def test_what_belongs_to_which_dataset(path, folder):
    assert dataset_folder(path) == folder
    assert concerns(path) == (folder is not None)


def test_the_id_names_the_place():
    assert metadata_problems(changed(), "expert-v0", ["Walker"]) == ()
    assert metadata_problems(changed(), "expert-v0", ["runner", "walker"]) == ()
    [problem] = metadata_problems(changed(), "expert-v1", ["walker"])
    assert 'Set "dataset_id" to "walker/expert-v1"' in problem
    assert folder_of_id("walker", ["walker"]) is None
    assert folder_of_id("other/a-v0", ["walker"]) is None


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        (changed(), True),
        (b'{"dataset_id": 1, "total_steps": ""}', True),
        (b'{"units": "kW"}', False),
        (b"[", False),
    ],
)
def test_what_was_meant_for_minari(content, meant):
    assert looks_like_minari(content) is meant


ids = st.sets(st.sampled_from([f"walker/{name}-v0" for name in "abcdef"]))
below = st.sets(st.sampled_from([f"walker/{name}" for name in "xyz"]))


def written(datasets: set[str], namespaces: set[str], **further: object) -> bytes:
    return json.dumps({**further, "datasets": list(datasets), "namespaces": list(namespaces)}).encode()


@given(old=ids, new=ids, added=ids, there=ids, spaces=st.tuples(below, below, below, below))
def test_merging_keeps_what_exists_and_nothing_else(old, new, added, there, spaces):
    old_spaces, new_spaces, kept, deleted = spaces
    wanted = written(new, new_spaces, description="new")
    merged = merge_namespace(
        written(old, old_spaces, description="old"),
        wanted,
        present=there,
        added=added,
        namespaces=kept,
        deleted_namespaces=deleted,
    )
    found = NamespaceFile.read(merged)
    assert list(found.datasets) == sorted((old | new | added) & there)
    assert list(found.namespaces) == sorted((new_spaces | kept) - deleted)
    assert found.content["description"] == "new"
    again = merge_namespace(
        wanted, merged, present=there, added=added, namespaces=kept, deleted_namespaces=deleted
    )
    assert again == merged


@given(first=ids, second=ids, base=ids)
def test_the_order_of_two_writers_does_not_matter(first, second, base):
    there = first | second | base

    def after(*writers: set[str]) -> bytes:
        content = written(base, set())
        for writer in writers:
            content = merge_namespace(content, written(base | writer, set()), present=there)
        return content

    assert NamespaceFile.read(after(first, second)) == NamespaceFile.read(after(second, first))


def test_bytes_that_are_right_are_kept():
    right = b'{"datasets":   ["walker/a-v0"]}'
    assert merge_namespace(None, right, present=["walker/a-v0"]) is right
    other_order = b'{"datasets": ["walker/b-v0", "walker/a-v0"]}'
    old = b'{"datasets": ["walker/a-v0","walker/b-v0"]}'
    assert merge_namespace(old, other_order, present=["walker/a-v0", "walker/b-v0"]) is old
    assert merge_namespace(b"no JSON", b"{}", present=[]) == b"{}"


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_get_an_answer(content):
    assert all(isinstance(one, str) for one in metadata_problems(content, "a-v0", ["walker"]))
    try:
        NamespaceFile.read(content)
    except NamespaceError as error:
        assert NAMESPACE_FILE in str(error)  # noqa: PT017 - either outcome is right


NAMES = st.frozensets(st.sampled_from(["w/a-v0", "w/b-v0", "w/c-v1", "w/d-v0"]))


@given(NAMES, NAMES, NAMES)
def test_both_sides_lists_are_merged_name_by_name(base, ours, theirs):
    texts = [json.dumps({"datasets": sorted(names)}).encode() for names in (base, ours, theirs)]
    merged = json.loads(reconcile_namespaces(*texts))["datasets"]
    for name in base | ours | theirs:
        listed = {name in ours, name in theirs}
        expected = listed == {True} if len(listed) == 1 else name not in base
        assert (name in merged) is expected
    assert merged == sorted(set(merged))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (
            {"description": "a"},
            {"description": "b"},
            {"description": "a", "x": 1},
            {"description": "b", "x": 1},
        ),
        ({"description": "a"}, {"description": "a"}, {}, {}),
        ({"description": "a"}, {"description": "b"}, {"description": "b"}, {"description": "b"}),
        ({"description": "a"}, {"description": "b"}, {"description": "c"}, None),
        ({"description": "a"}, {"description": "b"}, {}, None),
        (None, {"datasets": ["w/a-v0"]}, {"namespaces": []}, {"datasets": ["w/a-v0"], "namespaces": []}),
        ({}, {"datasets": "no list"}, {}, None),
    ],
)
def test_what_else_both_sides_say(base, ours, theirs, merged):
    texts = [None if said is None else json.dumps(said).encode() for said in (base, ours, theirs)]
    found = reconcile_namespaces(*texts)
    assert (None if found is None else json.loads(found)) == merged
