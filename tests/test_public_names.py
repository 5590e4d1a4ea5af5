from __future__ import annotations

import importlib.resources
import json
import subprocess
import sys

import pytest

import pytupli_registry

HEAVY = (
    "torch",
    "h5py",
    "pyarrow",
    "pandas",
    "gymnasium",
    "pydantic",
    "click",
    "rich",
    "minari",
    "d3rlpy",
    "numpy",
)


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", pytupli_registry.__all__)
def test_every_public_name_can_be_imported(name):
    found = getattr(pytupli_registry, name)
    assert found.__name__ == name
    assert found.__doc__


def test_names_are_sorted_and_each_has_a_home():
    assert pytupli_registry.__all__ == sorted(pytupli_registry.__all__)
    assert dir(pytupli_registry) == pytupli_registry.__all__
    homes = vars(pytupli_registry)["_HOMES"]
    assert set(homes) == set(pytupli_registry.__all__)
    for name, home in homes.items():
        assert name in importlib.import_module(f"pytupli_registry.{home}").__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = pytupli_registry.laod


def test_importing_the_package_imports_nothing_heavy():
    assert modules_after("import pytupli_registry") & set(HEAVY) == set()


def test_the_vocabulary_of_datasets_needs_numpy_only():
    loaded = modules_after("from pytupli_registry import Dataset, Episode, Transitions, PytupliError")
    assert loaded & set(HEAVY) == {"numpy"}


def test_opening_a_store_needs_numpy_only_until_a_dataset_is_read():
    loaded = modules_after("from pytupli_registry import load, open_dataset")
    assert loaded & {"torch", "h5py", "gymnasium", "pandas", "pydantic", "click", "minari"} == set()


def test_typed():
    marker = importlib.resources.files("pytupli_registry") / "py.typed"
    assert marker.is_file()
