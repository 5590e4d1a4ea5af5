"""Minari's namespace file: nothing that it lists is lost, and it is left alone where it is right."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.errors import FormatError
from pytupli_registry.publishing.namespaces import datasets_of, merged_namespace

PATHS = st.lists(st.sampled_from(["a-v0", "b-v1", "sub/c-v0", "sub/deep/d-v2"]), unique=True)


@settings(max_examples=40)
@given(PATHS, PATHS)
def test_writers_lose_nothing_of_each_other(there: list[str], added: list[str]) -> None:
    remote = merged_namespace(None, None, name="hvac", added=there)
    made = merged_namespace(remote, None, name="hvac", added=added)
    assert datasets_of(made, "hvac") == tuple(sorted({*there, *added}))
    assert merged_namespace(made, b'{"description": ""}', name="hvac", added=there) == made
    below = {path.rpartition("/")[0] for path in (*there, *added)} - {""}
    expected = {f"hvac/{'/'.join(one.split('/')[:depth])}" for one in below for depth in (1, 2)}
    assert set(json.loads(made).get("namespaces", [])) == expected


def test_what_the_hub_says_wins_and_the_rest_comes_from_here() -> None:
    made = merged_namespace(
        b'{"description": "Theirs", "datasets": ["hvac/x-v0"], "author": "Eve"}',
        b'{"description": "Mine", "author_email": "me@example.org"}',
        name="hvac",
        added=["a-v0"],
        description="Generated",
    )
    assert json.loads(made) == {
        "author": "Eve",
        "author_email": "me@example.org",
        "datasets": ["hvac/a-v0", "hvac/x-v0"],
        "description": "Theirs",
    }
    assert json.loads(merged_namespace(None, None, name="hvac", added=[], description="Text")) == {
        "description": "Text",
        "datasets": [],
    }


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"datasets": "a"}', b'{"namespaces": [1]}', b"{" * 2000, b" " * (1 << 21)]
)
def test_what_minari_could_not_read_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match=r"namespace_metadata\.json"):
        merged_namespace(content, None, name="hvac", added=["a-v0"])
