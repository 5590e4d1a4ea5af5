"""Where Python would import a module from, found without importing it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from pytupli_registry.environments.installed import (
    find_installed,
    is_among_data,
    is_plain_directory,
    is_shipped,
    location_of,
)
from pytupli_registry.environments.shipped_code import pack_code


def test_installed_modules_are_found_and_not_imported(installed: Path) -> None:
    for name, file in (("acme_envs", "acme_envs/__init__.py"), ("acme_broken", "acme_broken.py")):
        spec = find_installed(name)
        assert spec is not None
        assert spec.origin == str(installed / file)
        assert location_of(spec) == installed
        assert name not in sys.modules
    assert find_installed("acme_nowhere") is None


def test_loaded_modules_are_found_where_they_are() -> None:
    spec = find_installed("numpy")
    assert spec is not None
    assert location_of(spec) == Path(np.__file__).parents[1]
    builtin = find_installed("sys")
    assert builtin is not None
    assert location_of(builtin) is None
    assert find_installed("__main__") is not None


def test_shipped_modules_do_not_count_as_installed(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "shipped_here.py").write_text("x = 1\n")
    code = pack_code(tmp_path / "shipped_here.py")
    code.mount()
    assert find_installed("shipped_here") is None
    module = importlib.import_module("shipped_here")
    assert is_shipped(module.__spec__)
    assert find_installed("shipped_here") is None
    assert not is_shipped(sys.modules["numpy"].__spec__)
    assert not is_shipped(None)


def test_directories_without_a_package_are_told_apart(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_folder").mkdir()
    (installed / "acme_namespace").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    kinds = {}
    for name in ("acme_folder", "acme_namespace", "acme_envs", "acme_broken"):
        spec = find_installed(name)
        assert spec is not None
        kinds[name] = is_plain_directory(spec)
    assert kinds == {"acme_folder": True, "acme_namespace": False, "acme_envs": False, "acme_broken": False}


@pytest.mark.parametrize("place", ["", "artifacts/0123456789abcdef"])
def test_a_benchmarks_directory_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "acme_local.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / place))
    spec = find_installed("acme_local")
    assert spec is not None
    assert not is_among_data(spec)
    (tmp_path / "benchmark.json").write_text("{}")
    assert is_among_data(spec)


def test_a_benchmark_that_poses_as_a_package_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, package in (("acme_posing", True), ("acme_plain", True), ("acme_bare", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / ("__init__.py" if package else "envs.py")).write_text("")
    for name in ("acme_posing", "acme_bare"):
        (tmp_path / name / "benchmark.json").write_text("{}")
    found = {name: find_installed(name) for name in ("acme_posing", "acme_plain", "acme_bare")}
    assert {name: spec is not None and is_among_data(spec) for name, spec in found.items()} == {
        "acme_posing": True,
        "acme_plain": False,
        "acme_bare": True,
    }


def test_a_virtual_environment_beside_a_benchmark_is_no_part_of_it(installed: Path, tmp_path: Path) -> None:
    for directory in (tmp_path, installed):
        (directory / "benchmark.json").write_text("{}")
    spec = find_installed("acme_envs")
    assert spec is not None
    assert not is_among_data(spec)
