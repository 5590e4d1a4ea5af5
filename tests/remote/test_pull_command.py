"""``pytupli pull`` and ``pytupli cache`` against a live Hub."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pytupli_registry import api
from pytupli_registry.cli import main
from pytupli_registry.storage.mirrors import Mirrors

DATA = "main_data.hdf5"
JULY = ("--episodes", "month == 'July'")


@pytest.fixture(autouse=True)
def logged_in(world, home, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", world.network.endpoint)
    monkeypatch.setenv("HF_TOKEN", world.hub.person("bob").token)


def pytupli(*arguments, code=0):
    found = CliRunner().invoke(main, list(arguments), prog_name="pytupli")
    assert found.exit_code == code, found.output
    return found.output


def data_bytes(world):
    return sum(exchange.received for exchange in world.network.log if DATA in exchange.asked.target)


def test_a_plan_brings_nothing_and_is_kept_to(world):
    plan = json.loads(pytupli("pull", "acme/hvac/summer-v0", *JULY, "--plan", "--json"))["plan"]
    assert data_bytes(world) == 0
    assert (plan["episodes"], plan["total_episodes"]) == (6, len(world.local))
    assert plan["total_bytes"] == (Path(world.local.source) / DATA).stat().st_size
    assert plan["is_exact"]
    said = json.loads(pytupli("pull", "acme/hvac/summer-v0", *JULY, "--json"))
    heads = (
        data_bytes(world) - said["received_bytes"]
    )  # of ranges that came together, less than 150 bytes each
    assert 0 <= heads < 150 * 6 * len(world.local.leaves)
    assert data_bytes(world) <= plan["total_bytes"]
    assert plan["wanted_bytes"] <= said["received_bytes"]
    assert said["origin"]["commit"] == world.hub.api("bob").dataset_info("acme/hvac").sha
    again = json.loads(pytupli("pull", "acme/hvac/summer-v0", *JULY, "--plan", "--json"))["plan"]
    assert again is None or again["travelling_bytes"] == again["requests"] == 0


def test_plans_of_step_filters_say_the_most(world):
    shown = pytupli("pull", "acme/hvac/summer-v0", *JULY, "--steps", "reward > 0", "--plan")
    assert "at most 6 of 60" in shown
    assert data_bytes(world) == 0
    nothing = json.loads(
        pytupli("pull", "acme/hvac/summer-v0", "--steps", "reward > 1000", "--plan", "--json")
    )["plan"]
    assert (nothing["episodes"], nothing["travelling_bytes"], nothing["is_exact"]) == (0, 0, True)


def test_what_was_pulled_can_be_saved_and_used_offline(world, monkeypatch):
    pytupli("pull", "acme/hvac/summer-v0", *JULY, "--steps", "reward > 0", "--save", "mine/july-v0")
    monkeypatch.setenv("PYTUPLI_OFFLINE", "1")
    local = world.local.where("month == 'July'", "reward > 0")
    saved, cached = api.load("mine/july-v0"), api.load("acme/hvac/summer-v0", "month == 'July'", "reward > 0")
    np.testing.assert_array_equal(saved.column("rewards"), local.transitions().rewards)
    np.testing.assert_array_equal(cached.transitions().observations, local.transitions().observations)
    pytupli("pull", "acme/hvac/summer-v0", *JULY)
    refused = pytupli("pull", "acme/hvac/summer-v0", code=1)
    assert "Offline" in refused
    assert DATA in refused


def test_the_cache_is_listed_verified_and_pruned(world, home):
    assert json.loads(pytupli("cache", "list", "--json")) == []
    pytupli("pull", "acme/hvac/summer-v0", *JULY)
    api.load("acme/hvac/summer-v0", "month == 'July'").columns()
    (facts,) = json.loads(pytupli("cache", "list", "--json"))
    assert facts["origin"]["repo"] == "acme/hvac"
    assert "acme/hvac/summer-v0" in pytupli("cache", "list")
    assert Path(facts["directory"]).is_relative_to(pytupli("cache", "path").strip())
    assert "Verified 1" in pytupli("cache", "verify")
    mirror = Mirrors.from_environment().open(facts["sha256"], facts["size"])
    place = mirror.path.resolve()
    content = bytearray(place.read_bytes())
    content[len(content) // 2 :] = bytes(byte ^ 1 for byte in content[len(content) // 2 :])
    place.write_bytes(content)
    del mirror
    assert "damaged" in pytupli("cache", "verify", code=1)
    found = api.load("acme/hvac/summer-v0", "month == 'July'").columns()
    for path, values in world.local.where("month == 'July'").columns().items():
        np.testing.assert_array_equal(found[path], values)
    del found
    assert "0 files" in pytupli("cache", "prune", "--older-than", "1h")
    pytupli("cache", "prune", code=2)
    pytupli("cache", "prune", "--to", "lots", code=2)


def test_mirrors_are_bounded(world, monkeypatch):
    dataset = api.load("acme/hvac/summer-v0", "month == 'July'")
    dataset.columns()
    monkeypatch.setenv("PYTUPLI_CACHE_SIZE", "1kB")
    api.load("acme/hvac/summer-v0", "month == 'July'")
    assert len(Mirrors.from_environment().list()) == 1  # it is in use
    assert Mirrors.from_environment().prune(to=0) == []
