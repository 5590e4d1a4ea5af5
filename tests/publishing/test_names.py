"""Names: what Minari, the Hub and a folder all accept."""

import pytest
from huggingface_hub.utils import validate_repo_id
from hypothesis import given, settings
from hypothesis import strategies as st
from minari.dataset.minari_dataset import parse_dataset_id

from pytupli_registry.errors import InvalidReference
from pytupli_registry.publishing.licences import licence_keys
from pytupli_registry.publishing.names import Destination, name_problems
from pytupli_registry.server.wire.licenses import LICENSES


@settings(max_examples=40)
@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True),
    st.from_regex(r"[a-z_-]{1,9}-v[0-9]{1,3}", fullmatch=True),
)
def test_what_is_accepted_the_hub_and_minari_accept_too(name: str, path: str) -> None:
    if not list(name_problems(name, (path,))):
        validate_repo_id(f"acme/{name}")
        namespace, dataset, version = parse_dataset_id(f"{name}/{path}")
        assert f"{namespace}/{dataset}-v{version}" == f"{name}/{path}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("h", "a-v0"),
        ("a--b", "a-v0"),
        ("data", "a-v0"),
        ("hvac", "a-v01"),
        ("hvac", "a"),
        ("hvac", "data/a-v0"),
    ],
)
def test_what_would_break_them_is_told(name: str, path: str) -> None:
    assert len(list(name_problems(name, (path,)))) == 1


def test_destinations() -> None:
    assert Destination.parse("acme") == Destination("acme")
    assert Destination.parse("hf://acme/hvac") == Destination("acme", "hvac")
    for wrong in ("", "/", "acme/", "a/b/c", "../x", "acme/..", "ac me", "acme@main"):
        with pytest.raises(InvalidReference):
            Destination.parse(wrong)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("MIT", "mit"),
        ("Apache-2.0", "apache-2.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("ODbL-1.0", "odbl"),
        ("Ours!", "other"),
    ],
)
def test_licences_are_the_hubs(said: str, name: str) -> None:
    keys = licence_keys(said)
    assert keys["license"] == name
    assert name in LICENSES
    assert ("license_name" in keys) == (name == "other")
    assert licence_keys(None) == {}
