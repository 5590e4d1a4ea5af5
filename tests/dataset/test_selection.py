"""The hash of a selection: the same for everyone who keeps the same, another where anything differs."""

import hashlib
import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.selection import select
from pytupli_registry.storage.local import LocalStore

LEAVES = ("actions", "infos/energy", "observations", "rewards", "terminations", "truncations")
# The fixtures are plain functions, which nothing that is generated changes.
quickly = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
lengths = st.lists(st.integers(1, 6), min_size=2, max_size=7)


def walk(make_dataset, make_episode, given_lengths) -> Dataset:
    return make_dataset([make_episode(at, length) for at, length in enumerate(given_lengths)])


def by_the_book(dataset: Dataset, kept: list[int], mask: list[bool]) -> str:
    """The hash as docs/decisions/0010-views.md describes it, from the arrays alone."""

    def text(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    def sha(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    episodes = list(dataset)
    leaves = {}
    for path in LEAVES:
        values = [
            np.asarray(getattr(episodes[at], path) if "/" not in path else episodes[at].infos["energy"])
            for at in kept
        ]
        kind = {
            "dtype": values[0].dtype.str,
            "row_shape": list(values[0].shape[1:]),
            "extra_row": int(path.startswith(("observations", "infos"))),
            "encoding": "array",
        }
        sums = b"".join(struct.pack("<I", zlib.crc32(value.tobytes())) for value in values)
        leaves[path] = sha(text(kind) + sums)
    steps = [len(episodes[at]) for at in kept]
    bits = bytearray((len(mask) + 7) // 8)
    for at, is_kept in enumerate(mask):
        bits[at // 8] |= is_kept << (at % 8)
    spaces = {"observations": dataset.metadata.observation_space, "actions": dataset.metadata.action_space}
    parts = {
        "format": "pytupli.selection.1",
        "episodes": len(kept),
        "steps": sum(steps),
        "transitions": sum(mask),
        "spaces": sha(text(spaces)),
        "lengths": sha(b"".join(struct.pack("<q", steps_) for steps_ in steps)),
        "leaves": leaves,
        "mask": sha(bytes(bits)),
    }
    return sha(text(parts))


def test_it_is_what_the_decision_says(make_dataset, make_episode) -> None:
    dataset = walk(make_dataset, make_episode, [3, 5, 2, 4])
    july = dataset.where("metadata.month == 'July'")
    assert select(july).sha256 == by_the_book(dataset, [1, 3], [True] * 9)
    some = july.where(steps="reward > 102")
    mask = [bool(reward > 102) for at in (1, 3) for reward in list(dataset)[at].rewards]
    assert 0 < sum(mask) < 9
    assert select(some).sha256 == by_the_book(dataset, [1, 3], mask)


@quickly
@given(lengths=lengths, data=st.data())
def test_the_way_a_filter_is_written_does_not_matter(make_dataset, make_episode, lengths, data) -> None:
    dataset = walk(make_dataset, make_episode, lengths)
    least = data.draw(st.sampled_from(sorted(set(lengths))))
    reward = data.draw(st.sampled_from([0.5, 100.5, 101.5, 9999.0]))
    first = dataset.where(f"length >= {least}", f"reward < {reward}")
    others = (
        dataset.where(f"not (length < {least})").where(steps=f"not (reward >= {reward})"),
        dataset.where(f"length > {least - 1} and length > 0", f"reward < {reward} and reward > -1"),
        replace(first, episode_filter=None),
    )
    for other in others:
        assert select(other) == select(first)
    kept = [at for at, length in enumerate(lengths) if length >= least]
    every = dataset.where(f"episode_id in [{', '.join(map(str, kept))}]", f"reward < {reward}")
    assert select(every).sha256 == select(first).sha256


@quickly
@given(lengths=lengths, more=st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_episodes_that_are_not_kept_do_not_matter(make_dataset, make_episode, lengths, more) -> None:
    few = [make_episode(at, length) for at, length in enumerate(lengths)]
    appended = [make_episode(2 * (at + 50), length) for at, length in enumerate(more)]  # of June
    before = make_dataset(few).where("metadata.month == 'July'")
    after = make_dataset([*few, *appended]).where("metadata.month == 'July'")
    inserted = make_dataset([*appended, *few]).where("metadata.month == 'July'")
    assert select(before) == select(after) == select(inserted)
    matching = make_episode(51, 2)
    assert select(make_dataset([*few, matching]).where("metadata.month == 'July'")) != select(before)


@quickly
@given(lengths=lengths, data=st.data())
def test_any_changed_byte_matters_where_it_is_kept(make_dataset, make_episode, lengths, data) -> None:
    episodes = [make_episode(at, length) for at, length in enumerate(lengths)]
    before = select(make_dataset(episodes).where("metadata.month == 'July'"))
    at = data.draw(st.integers(0, len(episodes) - 1))
    name = data.draw(st.sampled_from(["observations", "actions", "rewards", "infos"]))
    value = episodes[at].infos["energy"] if name == "infos" else getattr(episodes[at], name)
    raw = bytearray(np.ascontiguousarray(value).tobytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    other = np.frombuffer(bytes(raw), value.dtype).reshape(value.shape)
    episodes[at] = replace(episodes[at], **{name: {"energy": other} if name == "infos" else other})
    after = select(make_dataset(episodes).where("metadata.month == 'July'"))
    assert (after != before) == (at % 2 == 1)
    assert (after.sha256 != before.sha256) == (at % 2 == 1)
    if at % 2 == 1:
        path = "infos/energy" if name == "infos" else name
        assert before.differences(after) == [f"{path} has other values"]


def test_flags_steps_spaces_and_order_matter(make_dataset, make_episode) -> None:
    episodes = [make_episode(at, 4) for at in range(4)]
    base = make_dataset(episodes)
    last = replace(episodes[3], terminations=episodes[3].truncations, truncations=episodes[3].terminations)
    assert select(base).differences(select(make_dataset([*episodes[:3], last]))) == [
        "terminations has other values",
        "truncations has other values",
    ]
    assert select(base).differences(select(base.where(steps="reward > 100"))) == [
        "transitions: 16 became 12",
        "other steps are kept",
    ]
    space = {**base.metadata.observation_space, "high": [2e6] * 3}
    assert select(base).differences(select(make_dataset(episodes, observation_space=space))) == [
        "the spaces are others"
    ]
    assert select(make_dataset(episodes[::-1])) != select(base)
    assert select(base).differences(select(base)) == []


def test_steps_that_are_all_kept_are_as_no_filter(make_dataset, make_episode) -> None:
    dataset = walk(make_dataset, make_episode, [3, 2])
    assert select(dataset.where(steps="reward > -1")) == select(dataset)


@pytest.mark.parametrize("shift", [0, 1])
def test_text_is_covered_with_its_borders(make_dataset, make_episode, shift) -> None:
    def say(first: list[str]) -> Dataset:
        episodes = [
            replace(make_episode(0, 2), infos={"said": first}),
            replace(make_episode(1, 1), infos={"said": ["x", "y"]}),
        ]
        return make_dataset(episodes)

    before, after = say(["ab", "c", ""]), say([["ab", "c", ""], ["a", "bc", ""]][shift])
    assert (select(before) == select(after)) == (shift == 0)


def test_the_file_and_its_index_give_the_same_as_memory(make_dataset, make_episode, tmp_path: Path) -> None:
    episodes = [make_episode(at, 2 + at) for at in range(4)]
    memory = make_dataset(episodes)
    store = LocalStore(tmp_path / "datasets", tmp_path / "cache")
    spaces = memory.metadata.observation_space, memory.metadata.action_space
    with store.writer("tests/walk-v0", observation_space=spaces[0], action_space=spaces[1]) as writer:
        for episode in episodes:
            writer.add(episode)
    stored = store.open("tests/walk-v0")
    assert set(stored.table.checksums) == set(LEAVES)
    july = "metadata.month == 'July'"
    assert select(stored.where(july)).leaves == select(memory.where(july)).leaves
    before = select(stored.where(july))
    with store.append("tests/walk-v0") as writer:
        writer.add(make_episode(4, 9))
    assert select(store.open("tests/walk-v0").where(july)) == before
