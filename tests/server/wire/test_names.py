"""Names at the door."""

from __future__ import annotations

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.server.errors import BadRequest, RepoNotFound, Unprocessable
from pytupli_registry.server.wire.names import (
    RepoId,
    RepoType,
    check_account_name,
    check_path,
    check_ref_name,
    check_repo_name,
)


@settings(max_examples=500)
@given(st.text(st.sampled_from("aZ0_-.g it"), min_size=1, max_size=12))
def test_every_name_we_take_the_client_takes(name: str) -> None:
    try:
        check_repo_name(name)
    except BadRequest:
        return
    validate_repo_id(f"acme/{name}")


@pytest.mark.parametrize(
    "name", ["a--b", "a..b", "-a", "a-", ".a", "a.", "a.git", "a b", "", "a" * 97, "a/b", "ä"]
)
def test_names_the_client_refuses_are_refused(name: str) -> None:
    with pytest.raises(HFValidationError):
        validate_repo_id(f"acme/{name}")
    with pytest.raises(BadRequest):
        check_repo_name(name)


@pytest.mark.parametrize(
    "text", ["hvac", "a/b/c", "a/", "/b", "a//b", "../b", "a/..", "a b/c", "a/%2e%2e", ""]
)
def test_what_cannot_be_an_id_does_not_exist(text: str) -> None:
    with pytest.raises(RepoNotFound):
        RepoId.parse(RepoType.DATASET, text)


@pytest.mark.parametrize("name", ["api", "Datasets", "settings", "a.b", "x--y", "xet", "None"])
def test_reserved_and_impossible_account_names(name: str) -> None:
    with pytest.raises(BadRequest):
        check_account_name(name)


@pytest.mark.parametrize(
    "path",
    ["a", "a/b.txt", "folder/..\\..\\file", "a\\b", "ab:c", "ünïcode/日本", "a b", ".hidden", "a" * 255],
)
def test_paths_that_files_have(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a/.",
        "..\\ddd",
        "C:\\x",
        "c:x",
        "a/D:/x",
        "\\x",
        "\\\\server\\share\\x",
        "a/\\x",
        ".git",
        "a/.GIT/b",
        "a\0b",
        "a\nb",
        "a" * 256,
        "a/" * 70 + "b",
        "\ud800",
        "x/" * 500 + "y",
    ],
)
def test_paths_that_would_leave_or_break_something(path: str) -> None:
    with pytest.raises(Unprocessable):
        check_path(path)


@pytest.mark.parametrize("name", ["main", "v1.0", "feature/x", "a-b_c", "ünï"])
def test_ref_names(name: str) -> None:
    assert check_ref_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "refs/heads/x",
        "-x",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "@",
        "a@{1}",
        "a.lock",
        "a/.b",
        "a//b",
        "/a",
        "a/",
        "a.",
        "x\x7f",
        "a" * 201,
    ],
)
def test_names_git_would_refuse(name: str) -> None:
    with pytest.raises(BadRequest):
        check_ref_name(name)
