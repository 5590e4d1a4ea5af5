from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from huggingface_hub.utils import parse_hf_uri
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.errors import InvalidReference
from pytupli_registry.references import Reference

segments = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,12}", fullmatch=True)
parts_of_revisions = st.from_regex(r"(?!-)[\w%#+,=é-][\w%#+,=é.-]{0,12}", fullmatch=True).filter(
    lambda part: part.isprintable() and ".." not in part and not part.endswith((".", ".lock"))
)
revisions = st.one_of(
    st.lists(parts_of_revisions, min_size=1, max_size=4).map("/".join),
    st.integers(0, 10**6).map("refs/pr/{}".format),
    st.from_regex(r"refs/convert/[a-z_]{1,12}", fullmatch=True),
)
datasets = st.builds("{}-v{}".format, segments, st.integers(0, 999999))


def without_version(segment: str) -> bool:
    return Reference.parse(segment).dataset is None


benchmarks = (
    st.lists(segments, min_size=1, max_size=4).filter(lambda parts: without_version(parts[-1])).map(tuple)
)
references = st.one_of(
    st.builds(
        Reference,
        st.sampled_from([None, "local", "hf"]),
        st.lists(segments, max_size=4).map(tuple),
        datasets,
        st.none() | revisions,
    ),
    st.builds(
        Reference, st.sampled_from([None, "local", "hf"]), benchmarks, st.none(), st.none() | revisions
    ),
)


@given(references)
def test_a_reference_parses_back_from_its_text(reference):
    assert Reference.parse(str(reference)) == reference


@given(st.text(max_size=60))
def test_any_text_is_a_safe_reference_or_refused(text):
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    for part in (*reference.namespace, reference.dataset or "x"):
        assert part.isascii()
        assert part not in {"", ".", ".."}
        assert not set(part) & set("/\\\0:@. \n")
    assert Reference.parse(str(reference)) == reference


@given(revisions)
def test_the_hubs_own_addresses_name_the_same_revision(revision):
    written = quote(revision, safe="")
    small = re.sub(r"%..", lambda escape: escape[0].lower(), written)
    for form in (written, small):
        expected = Reference(None, ("acme", "hvac"), "summer-v0", revision)
        assert Reference.parse(f"acme/hvac@{form}/summer-v0") == expected


@given(revisions, st.lists(segments, max_size=2), datasets)
def test_references_are_understood_as_the_stock_client_understands_them(revision, nested, dataset):
    path = "/".join([*nested, dataset])
    ours = Reference("hf", ("acme", "hvac"), None, revision)
    theirs = parse_hf_uri(str(ours).replace("hf://", "hf://datasets/") + f"/{path}")
    assert (theirs.id, theirs.revision, theirs.path_in_repo) == ("acme/hvac", revision, path)
    read = Reference.parse(f"{ours}/{path}")
    assert (read.repo, read.revision, read.path_in_repo) == ("acme/hvac", revision, path)


@given(st.text(max_size=30))
def test_whatever_stands_in_for_a_revision_is_one_of_git_or_refused(text):
    try:
        reference = Reference.parse(f"acme/hvac@{text}")
    except InvalidReference:
        return
    revision = reference.revision
    assert revision.isprintable()
    assert revision[0] not in "/-"
    assert not {"", ".", ".."} & set(revision.split("/"))
    assert not set(revision) & set("\\:\0 ~^?*[")
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cartpole/mixed-v0", Reference(None, ("cartpole",), "mixed-v0")),
        ("mixed-v0", Reference(None, (), "mixed-v0")),
        ("mixed-v0@main", Reference(None, (), "mixed-v0", "main")),
        ("acme/hvac@v1.2/summer-v10", Reference(None, ("acme", "hvac"), "summer-v10", "v1.2")),
        ("acme/hvac@refs/pr/1/summer-v0", Reference(None, ("acme", "hvac"), "summer-v0", "refs/pr/1")),
        ("acme/hvac@refs%2Fpr%2F1/summer-v0", Reference(None, ("acme", "hvac"), "summer-v0", "refs/pr/1")),
        ("acme/hvac@refs/pr/1", Reference(None, ("acme", "hvac"), None, "refs/pr/1")),
        (
            "hf://acme/hvac@refs/convert/parquet/a/x-v0#july",
            Reference("hf", ("acme", "hvac", "a"), "x-v0", "refs/convert/parquet", "july"),
        ),
        ("acme/hvac@refs/pr/1a/x-v0", Reference(None, ("acme", "hvac", "pr", "1a"), "x-v0", "refs")),
        ("acme/hvac@refs/summer-v0", Reference(None, ("acme", "hvac"), "summer-v0", "refs")),
        ("acme/hvac@feature%2Fx/summer-v0", Reference(None, ("acme", "hvac"), "summer-v0", "feature/x")),
        ("acme/hvac@feature%2fx%2Fy", Reference(None, ("acme", "hvac"), None, "feature/x/y")),
        ("acme/hvac@feature/x/summer-v0", Reference(None, ("acme", "hvac", "x"), "summer-v0", "feature")),
        ("acme/hvac@ü-1/x-v0", Reference(None, ("acme", "hvac"), "x-v0", "ü-1")),
        ("acme/hvac@%C3%BC-1/x-v0", Reference(None, ("acme", "hvac"), "x-v0", "ü-1")),
        ("acme/hvac@50%25%40%23/x-v0", Reference(None, ("acme", "hvac"), "x-v0", "50%@#")),
        ("acme/hvac", Reference(None, ("acme", "hvac"), None)),
        ("acme/hvac@main", Reference(None, ("acme", "hvac"), None, "main")),
        ("local://D4RL/door/human-v2", Reference("local", ("D4RL", "door"), "human-v2")),
        ("hf://acme/hvac/summer-v0", Reference("hf", ("acme", "hvac"), "summer-v0")),
    ],
)
def test_parts(text, expected):
    assert Reference.parse(text) == expected


def test_dataset_id_leaves_scheme_and_revision_out():
    assert Reference.parse("hf://acme/hvac@main/summer-v0").dataset_id == "acme/hvac/summer-v0"


def test_a_benchmark_has_no_dataset_id():
    with pytest.raises(InvalidReference, match="names no dataset"):
        _ = Reference.parse("acme/hvac").dataset_id
    with pytest.raises(InvalidReference, match="names no dataset"):
        Reference.parse_dataset("acme/hvac")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "..",
        "../x-v0",
        "a/../x-v0",
        "a/./x-v0",
        "/etc/x-v0",
        "a//x-v0",
        "x-v0/",
        "a\\b-v0",
        "C:\\x-v0",
        "a\0b-v0",
        "x-v0\n",
        "x-v\u0663",
        "ünïcode-v0",
        "a/\u202ex-v0",
        "-rf-v0",
        ".hidden/x-v0",
        "a.b/x-v0",
        "a" * 97,
        "a" * 100 + "-v0",
        "x" * 1_000_000,
        "a@/x-v0",
        "a@..",
        "a@x/../y-v0",
        "a@main..dev/x-v0",
        "a@b@c/x-v0",
        "a@feature%2/x-v0",
        "a@feature%zz/x-v0",
        "a@100%/x-v0",
        "a@%2e%2E/x-v0",
        "a@x%2F..%2Fy/x-v0",
        "a@%2Fetc/x-v0",
        "a@x%2F/x-v0",
        "a@x%2F%2Fy/x-v0",
        "a@%00/x-v0",
        "a@x%0Ay/x-v0",
        "a@%FF/x-v0",
        "a@%ED%A0%80/x-v0",
        "a@x%5Cy/x-v0",
        "a@C%3Ax/x-v0",
        "a@x.lock/x-v0",
        "a@%E2%80%AEx/x-v0",
        "a@x%20y/x-v0",
        "a@-rf/x-v0",
        "a@%40/x-v0",
        "a@x%40%7B1%7D/x-v0",
        "a@" + "x" * 256,
        "a@" + "%41" * 256,
        "a@refs/pr/1//x-v0",
        "@main/x-v0",
        "http://host/x-v0",
        "file:///etc/x-v0",
        "local://",
        "hf://local://x-v0",
    ],
)
def test_hostile_texts_are_refused_with_a_short_message(text):
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert len(str(caught.value)) < 600
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize("text", ["acme/hvac@100%/x-v0", "acme/hvac@/x-v0", "acme/hvac@a b/x-v0"])
def test_how_to_write_a_slash_is_told(text):
    with pytest.raises(InvalidReference, match="'@feature%2Fx'"):
        Reference.parse(text)


def test_the_schemes_are_named_when_another_is_given():
    with pytest.raises(InvalidReference, match=r"'local://' or 'hf://'"):
        Reference.parse("s3://bucket/x-v0")


@pytest.mark.parametrize("text", ["acme/hvac", "hf://acme/hvac@main", "acme/hvac@feature%2Fx"])
def test_a_repository(text):
    assert Reference.parse_repository(text).repo == "acme/hvac"


@pytest.mark.parametrize("text", ["acme", "acme/hvac@feature/x", "acme/hvac/summer-v0", "acme/hvac/more"])
def test_what_is_no_repository(text):
    with pytest.raises(InvalidReference) as error:
        Reference.parse_repository(text)
    assert "repository" in str(error.value)
