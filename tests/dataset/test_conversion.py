from __future__ import annotations

import sys

import pytest

from pytupli_registry import adapters
from pytupli_registry.dataset.conversion import ADAPTER_GROUP, adapter_names, find_adapter
from pytupli_registry.errors import AdapterError


def test_the_cores_adapters_are_registered():
    assert {"numpy", "d4rl", "pandas", "torch"} <= set(adapter_names())
    assert adapter_names() == sorted(set(adapter_names()))
    assert find_adapter("numpy") is adapters.to_numpy
    assert find_adapter("torch") is adapters.to_torch


def test_an_unknown_adapter_suggests_the_close_one():
    with pytest.raises(AdapterError, match="Did you mean 'numpy'"):
        find_adapter("nunpy")


def test_an_unknown_adapter_lists_what_there_is():
    with pytest.raises(AdapterError, match=r"Installed: .*numpy.*pytupli-zzz\?"):
        find_adapter("zzz")


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """A distribution of somebody else on the path, with the given adapters."""

    def install(**points: str):
        info = tmp_path / "third_party-1.0.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
        lines = "\n".join(f"{name} = {target}" for name, target in points.items())
        info.joinpath("entry_points.txt").write_text(f"[{ADAPTER_GROUP}]\n{lines}\n")
        tmp_path.joinpath("third_party_adapter.py").write_text(
            "def convert(dataset, *, scale=1):\n    return [scale * len(episode) for episode in dataset]\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "third_party_adapter", raising=False)

    return install


def test_third_parties_add_adapters_by_entry_points(third_party, dataset):
    third_party(lengths="third_party_adapter:convert")
    assert "lengths" in adapter_names()
    assert dataset.to("lengths", scale=10) == [30, 50, 10, 40]


@pytest.mark.parametrize("target", ["no_such_module_at_all:convert", "third_party_adapter:no_such_name"])
def test_an_adapter_that_cannot_be_imported_is_told(third_party, target):
    third_party(broken=target)
    with pytest.raises(AdapterError, match="'broken' cannot be imported"):
        find_adapter("broken")
