from __future__ import annotations

from pathlib import Path

import pytest
from minari.storage import datasets_root_dir

from pytupli_registry.config import ClientConfig

NAMES = (
    "PYTUPLI_DATASETS_PATH",
    "MINARI_DATASETS_PATH",
    "PYTUPLI_CACHE_PATH",
    "XDG_CACHE_HOME",
    "PYTUPLI_CONFIG_PATH",
    "XDG_CONFIG_HOME",
    "PYTUPLI_ALLOWED_MODULES",
)


def defaults(home):
    return ClientConfig(
        home / ".minari" / "datasets", home / ".cache" / "pytupli", home / ".config" / "pytupli", ()
    )


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def test_without_variables_the_store_is_minaris_own_root(environment, tmp_path):
    assert ClientConfig.from_environment() == defaults(tmp_path)


def test_the_default_is_where_minari_looks(environment):
    assert datasets_root_dir.get_dataset_path() == ClientConfig.from_environment().datasets_path


def test_minaris_variable_moves_the_store(environment):
    environment.setenv("MINARI_DATASETS_PATH", "/srv/minari")
    assert ClientConfig.from_environment().datasets_path == Path("/srv/minari")


def test_our_variable_wins_over_minaris(environment):
    environment.setenv("MINARI_DATASETS_PATH", "/srv/minari")
    environment.setenv("PYTUPLI_DATASETS_PATH", "/srv/pytupli")
    assert ClientConfig.from_environment().datasets_path == Path("/srv/pytupli")


def test_the_cache_lies_below_the_users_cache(environment):
    environment.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert ClientConfig.from_environment().cache_path == Path("/var/cache/me/pytupli")


def test_our_cache_variable_is_taken_as_it_is(environment):
    environment.setenv("XDG_CACHE_HOME", "/var/cache/me")
    environment.setenv("PYTUPLI_CACHE_PATH", "/scratch/cache")
    assert ClientConfig.from_environment().cache_path == Path("/scratch/cache")


def test_empty_variables_count_as_unset(environment, tmp_path):
    for name in NAMES:
        environment.setenv(name, "")
    assert ClientConfig.from_environment() == defaults(tmp_path)


def test_the_environment_is_read_at_each_call(environment):
    environment.setenv("PYTUPLI_DATASETS_PATH", "/first")
    first = ClientConfig.from_environment()
    environment.setenv("PYTUPLI_DATASETS_PATH", "/second")
    assert (first.datasets_path, ClientConfig.from_environment().datasets_path) == (
        Path("/first"),
        Path("/second"),
    )


def test_what_the_user_decided_lies_below_the_users_configuration(environment):
    environment.setenv("XDG_CONFIG_HOME", "/etc/me")
    assert ClientConfig.from_environment().config_path == Path("/etc/me/pytupli")
    environment.setenv("PYTUPLI_CONFIG_PATH", "/etc/pytupli")
    assert ClientConfig.from_environment().config_path == Path("/etc/pytupli")


def test_allowed_modules_are_separated_by_commas(environment):
    environment.setenv("PYTUPLI_ALLOWED_MODULES", "acme, other.envs,,")
    assert ClientConfig.from_environment().allowed_modules == ("acme", "other.envs")
