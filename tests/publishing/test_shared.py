"""Which episodes two datasets begin with: told by values, seeds and facts alike."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

from pytupli_registry import api
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.publishing.shared import shared_episodes
from tests.publishing.conftest import ACTIONS, OBSERVATIONS, episodes


def table_of(name: str, made: list[Episode]):
    return api.write(name, made, observation_space=OBSERVATIONS, action_space=ACTIONS).table


def test_equal_beginnings_are_counted(home: Path) -> None:
    first, more, other = list(episodes(3, 1)), list(episodes(2, 2)), list(episodes(3, 3))
    base = table_of("xx/base-v0", first)
    assert shared_episodes(base, table_of("xx/longer-v0", [*first, *more])) == 3
    assert shared_episodes(base, table_of("xx/diverged-v0", [*first[:2], *more])) == 2
    assert shared_episodes(table_of("xx/other-v0", other), base) == 0
    seeds = [replace(first[0]), replace(first[1], seed=99), first[2]]
    assert shared_episodes(base, table_of("xx/seed-v0", seeds)) == 1
    facts = [first[0], first[1], replace(first[2], metadata={"month": "March"})]
    assert shared_episodes(base, table_of("xx/facts-v0", facts)) == 2
    values = [replace(first[0], rewards=first[0].rewards + 1e-12), *first[1:]]
    assert shared_episodes(base, table_of("xx/values-v0", values)) == 0
    unknown = list(chain((replace(one, seed=None) for one in first), more))
    assert shared_episodes(base, table_of("xx/unknown-v0", unknown)) == 0
