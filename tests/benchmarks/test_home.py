"""Names and paths that no benchmark can have."""

import pytest

from pytupli_registry.benchmarks.home import find_benchmark
from pytupli_registry.errors import BenchmarkNotFound, InvalidReference


@pytest.mark.parametrize(
    "reference", ["/" + "a" * 5000, "~nobody-of-that-name/x", "/tmp/\0", "./" + "a/" * 5000, "."]
)
def test_paths_that_cannot_be_are_not_found(reference, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchmarkNotFound):
        find_benchmark(reference)


@pytest.mark.parametrize(
    "reference", ["", "a" * 5000, "a//b", "a/../b", "hf://a/b", "a/b-v0", "a@main", "a\0"]
)
def test_names_that_cannot_be_are_refused(reference, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path))
    with pytest.raises(InvalidReference):
        find_benchmark(reference)
