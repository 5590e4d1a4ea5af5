"""Permissions: joined from the call, the environment's variables and what is remembered."""

from __future__ import annotations

import pytest

from pytupli_registry.environments.consents import ConsentStore
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.errors import EnvironmentRefused, FormatError

A, B = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def config(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path))
    monkeypatch.delenv("PYTUPLI_ALLOWED_MODULES", raising=False)
    return tmp_path


def test_nothing_is_allowed_by_itself() -> None:
    assert Permissions.from_environment() == Permissions() == Permissions((), frozenset())


def test_calls_variables_and_memory_are_joined(monkeypatch, config) -> None:
    monkeypatch.setenv("PYTUPLI_ALLOWED_MODULES", "acme, shared")
    ConsentStore(config).remember(A, "")
    assert Permissions.from_environment(["mine", "acme"], [B.upper()]) == Permissions(
        ("mine", "acme", "shared"), frozenset({A, B})
    )


def test_one_text_is_one_name() -> None:
    assert Permissions.from_environment("acme", B) == Permissions(("acme",), frozenset({B}))


def test_a_withdrawn_consent_no_longer_counts(config) -> None:
    store = ConsentStore(config)
    store.remember(A, "")
    store.forget(A)
    assert Permissions.from_environment().consents == frozenset()


def test_a_broken_memory_is_an_error(config) -> None:
    (config / "consents.json").write_text("{")
    (config / "consents.json").chmod(0o600)
    with pytest.raises(FormatError):
        Permissions.from_environment(consent=[A])


@pytest.mark.parametrize("name", ["", "*", "acme.*", "acme:Env", ".", "../acme", "a b", "__main__"])
def test_what_is_no_module_cannot_be_allowed(name: str) -> None:
    with pytest.raises(EnvironmentRefused, match="no module"):
        Permissions((name,))


@pytest.mark.parametrize("digest", ["", "*", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_what_is_no_hash_cannot_be_consented_to(digest: str) -> None:
    with pytest.raises(EnvironmentRefused, match="no hash"):
        Permissions(consents=frozenset({digest}))


def test_a_prefix_covers_what_lies_within_it() -> None:
    permissions = Permissions(("acme.envs", "other"))
    assert permissions.prefix_of("acme.envs.wind") == "acme.envs"
    assert permissions.prefix_of("other") == "other"
    assert permissions.prefix_of("acme") is None
    assert permissions.prefix_of("otherwise") is None
