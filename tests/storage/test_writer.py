"""Datasets written by us, read by h5py, by stock Minari and by ourselves."""

from __future__ import annotations

import json
import resource
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import h5py
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.leaves import flatten
from pytupli_registry.errors import (
    DatasetExists,
    DatasetNotFound,
    EpisodeError,
    InvalidReference,
    SpaceError,
    WriteError,
)
from pytupli_registry.storage.commit import discard, recover, unfinished
from pytupli_registry.storage.index import read_index, same_index
from pytupli_registry.storage.local import open_directory
from pytupli_registry.storage.repack import repack
from pytupli_registry.storage.trust import rebuild_index
from pytupli_registry.storage.writer import DatasetWriter

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = "abcäöü日本"
BOX = spaces.Box(-np.inf, np.inf, (4,), np.float64)
TURN = spaces.Box(-1, 1, (1,), np.float64)
ID = "zoo/made-v0"

KINDS: dict[str, spaces.Space[Any]] = {
    **{
        f"box {name}": spaces.Box(-9, 9, (3,), np.dtype(name).type)
        for name in ("float16", "float32", "float64")
    },
    **{
        f"box {name}": spaces.Box(0, 9, (2, 2), np.dtype(name).type)
        for name in ("int8", "uint16", "int32", "uint64")
    },
    "box scalar": spaces.Box(-1, 1, (), np.float32),
    "box of rank 4": spaces.Box(-1, 1, (2, 1, 3, 2), np.float32),
    "discrete": spaces.Discrete(7, start=-3),
    "multidiscrete": spaces.MultiDiscrete([[2, 3], [4, 5]]),
    "multibinary": spaces.MultiBinary([2, 3]),
    "dict": spaces.Dict({"type": spaces.Discrete(3), "b": spaces.Box(-1, 1, (2,), np.float64), "日": TURN}),
    "tuple": spaces.Tuple((spaces.Discrete(3), spaces.Tuple((TURN, spaces.MultiBinary(2))))),
    "text": spaces.Text(8, charset=LETTERS),
    "nested": spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (34, 33, 3), np.uint8),
            "parts": spaces.Tuple(
                (spaces.Dict({"said": spaces.Text(5, charset=LETTERS)}), spaces.Discrete(2))
            ),
        }
    ),
}


def gather(space: spaces.Space[Any], samples: list[Any]) -> Any:
    """Return samples as an episode holds them: one array or list of texts a leaf."""
    if isinstance(space, spaces.Dict):
        return {key: gather(part, [sample[key] for sample in samples]) for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(gather(part, [sample[i] for sample in samples]) for i, part in enumerate(space))
    return list(samples) if isinstance(space, spaces.Text) else np.array(samples, dtype=space.dtype)


def make(
    observation_space: spaces.Space[Any] = BOX,
    action_space: spaces.Space[Any] = TURN,
    lengths: tuple[int, ...] = (4, 1, 6),
    seed: int = 0,
) -> list[Episode]:
    """Return episodes of random values."""
    observation_space.seed(seed)
    action_space.seed(seed + 1)
    rng, episodes = np.random.default_rng(seed), []
    for number, steps in enumerate(lengths):
        last = np.arange(steps) == steps - 1
        episodes.append(
            Episode(
                observations=gather(
                    observation_space, [observation_space.sample() for _ in range(steps + 1)]
                ),
                actions=gather(action_space, [action_space.sample() for _ in range(steps)]),
                rewards=rng.normal(size=steps),
                terminations=last & (number % 2 == 0),
                truncations=last & (number % 2 == 1),
                infos={"energy": rng.normal(size=(steps + 1, 2)), "deep": {"count": np.arange(steps + 1)}},
                seed=number if number % 2 else None,
                options={"mass": 1.5 * number, "goal": {"x": number, "name": "ä"}}
                if number % 2 == 0
                else None,
                metadata={"month": ["June", "Juli"][number % 2], "expert": number == 1, "score": number / 3},
            )
        )
    return episodes


class Desk:
    """A store to write to, and the three ways to read it."""

    def __init__(self, root: Path) -> None:
        self.root, self.cache = root / "datasets", root / "cache"
        self.data = self.root / ID / "data"

    def writer(self, observations: Any = BOX, actions: Any = TURN, **options: Any) -> DatasetWriter:
        return DatasetWriter.create(
            self.root, ID, observation_space=observations, action_space=actions, cache=self.cache, **options
        )

    def write(self, episodes: list[Episode], *given: Any, **options: Any) -> Path:
        with self.writer(*given, **options) as writer:
            assert [writer.add(episode) for episode in episodes] == list(range(len(episodes)))
        return self.data

    def append(self, episodes: list[Episode]) -> None:
        with DatasetWriter.append_to(self.root, ID, cache=self.cache) as writer:
            for episode in episodes:
                writer.add(episode)

    def check(self, episodes: list[Episode]) -> None:
        """Compare with h5py, with our reader, and the index with one built from nothing but the file."""
        with h5py.File(self.data / "main_data.hdf5", "r") as file:
            assert set(file) == {f"episode_{number}" for number in range(len(episodes))}
            for number, episode in enumerate(episodes):
                compare_h5py(file[f"episode_{number}"], number, episode)
        dataset = open_directory(self.data, self.cache)
        assert len(dataset) == len(episodes)
        for found, expected in zip(dataset, episodes, strict=True):
            compare(found.leaves(), expected.leaves())
            assert (found.seed, dict(found.metadata)) == (expected.seed, dict(expected.metadata))
        index = read_index(self.data / "episodes.parquet")
        assert same_index(index, rebuild_index(self.data / "main_data.hdf5", dataset.metadata))
        assert dataset.metadata.total_steps == sum(map(len, episodes))


def compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for path, values in expected.items():
        if isinstance(values, list):
            assert list(found[path]) == values, path
        else:
            np.testing.assert_array_equal(found[path], values, err_msg=path, strict=True)


def compare_h5py(group: h5py.Group, number: int, episode: Episode) -> None:
    found: dict[str, Any] = {}

    def collect(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset):
            text = h5py.check_string_dtype(member.dtype) is not None
            found[name] = [value.decode() for value in member[()]] if text else member[()]

    group.visititems(collect)
    compare(found, episode.leaves())
    attributes = dict(group.attrs)
    assert attributes.pop("id") == number
    assert attributes.pop("total_steps") == len(episode)
    expected = dict(flatten(episode.options or {}, "options"), **episode.metadata)
    if episode.seed is not None:
        expected["seed"] = episode.seed
    assert attributes == expected


def compare_minari(dataset: Any, episodes: list[Episode]) -> None:
    assert dataset.total_episodes == len(episodes)
    assert dataset.total_steps == sum(map(len, episodes))
    for number, (found, expected) in enumerate(zip(dataset, episodes, strict=True)):
        assert found.id == number
        theirs = {**flatten(found.observations, "observations"), **flatten(found.actions, "actions")}
        theirs.update(flatten(found.infos or {}, "infos"))
        for name in ("rewards", "terminations", "truncations"):
            theirs[name] = getattr(found, name)
        theirs = {
            name: [text.decode() for text in values]
            if getattr(values, "dtype", np.dtype("?")).kind == "O"
            else values
            for name, values in theirs.items()
        }
        compare(theirs, expected.leaves())
    for number, (found, expected) in enumerate(
        zip(dataset.storage.get_episode_metadata(range(len(episodes))), episodes, strict=True)
    ):
        assert (found["id"], found["total_steps"]) == (number, len(expected))
        assert found.get("seed") == expected.seed
        assert found.get("options") == expected.options
        for name, value in expected.metadata.items():
            assert found[name] == value


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTUPLI_DATASETS_PATH", raising=False)
    return Desk(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["observations", "actions"])
def test_every_kind_of_space_reads_back(desk: Desk, kind: str, place: str) -> None:
    import minari

    pair = (KINDS[kind], TURN) if place == "observations" else (BOX, KINDS[kind])
    episodes = make(*pair)
    desk.write(episodes, *pair)
    desk.check(episodes)
    compare_minari(minari.load_dataset(ID), episodes)


def test_appends_extend_what_is_there(desk: Desk) -> None:
    import minari

    episodes = make(lengths=(4, 1, 6, 2, 9, 3))
    desk.write(episodes[:2])
    before = (desk.data / "main_data.hdf5").read_bytes()
    columns = read_index(desk.data / "episodes.parquet").leaves
    desk.append(episodes[2:5])
    desk.append(episodes[5:])
    desk.check(episodes)
    compare_minari(minari.load_dataset(ID), episodes)
    after = (desk.data / "main_data.hdf5").read_bytes()
    for path, stored in read_index(desk.data / "episodes.parquet").leaves.items():
        assert stored.extents is not None
        assert len(stored.extents) == 3
        assert stored.extents[0] == columns[path].extents[0]
        place = slice(
            stored.extents[0].offset,
            stored.extents[0].offset + stored.extents[0].rows * stored.leaf.row_bytes,
        )
        assert after[place] == before[place]


def test_minari_extends_what_we_wrote(desk: Desk) -> None:
    import minari
    from minari.data_collector import EpisodeBuffer

    episodes = make(lengths=(4, 1, 6) * 5)
    desk.write(episodes[:12])
    dataset = minari.load_dataset(ID)
    dataset.storage.update_episodes(
        EpisodeBuffer(
            observations=list(episode.observations),
            actions=list(episode.actions),
            rewards=list(episode.rewards),
            terminations=list(episode.terminations),
            truncations=list(episode.truncations),
            infos=dict(episode.infos),
            seed=episode.seed,
            options=episode.options,
        )
        for episode in episodes[12:]
    )
    dataset.storage.update_episode_metadata([dict(episode.metadata) for episode in episodes])
    compare_minari(minari.load_dataset(ID), episodes)
    found = list(open_directory(desk.data, desk.cache))
    for one, expected in zip(found, episodes, strict=True):
        compare(one.leaves(), expected.leaves())
        assert dict(one.metadata) == dict(expected.metadata)
    more = make(lengths=(2,), seed=5)
    desk.append(more)
    compare_minari(minari.load_dataset(ID), episodes + more)


def test_images_are_kept_as_they_are_unless_jpeg_is_asked_for(desk: Desk) -> None:
    import minari

    space = spaces.Box(0, 255, (40, 36, 3), np.uint8)
    episodes = make(space)
    desk.write(episodes, space)
    desk.check(episodes)
    shutil.rmtree(desk.root)
    desk.write(episodes, space, jpeg_encoding=True)
    desk.append(episodes[:1])
    theirs = list(minari.load_dataset(ID))
    ours = list(open_directory(desk.data, desk.cache))
    assert len(ours) == len(theirs) == 4
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.observations, other.observations, strict=True)
        np.testing.assert_array_equal(one.actions, other.actions, strict=True)
    assert not np.array_equal(ours[0].observations, episodes[0].observations)
    # A JPEG of noise is coarse, but it is still that frame.
    difference = ours[0].observations.astype(float) - episodes[0].observations
    assert np.abs(difference).mean() < 60


def test_infos_may_be_missing_change_shape_or_be_texts(desk: Desk) -> None:
    import minari

    episodes = make(lengths=(2, 3, 4, 1))
    infos: list[dict[str, Any]] = [
        {
            "a": np.arange(3.0),
            "b": np.zeros((3, 2)),
            "said": ["x", "ä", ""],
            "flag": np.array([True, False, True]),
        },
        {"b": np.ones((4, 5), np.float32), "said": ["y"] * 4, "flag": np.zeros(4, bool)},
        {"a": np.arange(5.0), "b": np.zeros((5, 2)), "said": ["z"] * 5, "flag": np.ones(5, bool)},
        {
            "a": np.arange(2),
            "b": np.zeros((2, 2)),
            "said": ["w"] * 2,
            "flag": np.ones(2, bool),
            "new": {"x": np.ones(2)},
        },
    ]
    episodes = [replace(episode, infos=given) for episode, given in zip(episodes, infos, strict=True)]
    desk.write(episodes[:2])
    desk.append(episodes[2:])
    desk.check(episodes)
    compare_minari(minari.load_dataset(ID), episodes)
    encodings = {path: leaf.encoding for path, leaf in open_directory(desk.data, desk.cache).leaves.items()}
    assert encodings["infos/flag"] == "array"
    assert encodings["infos/said"] == "text"
    assert encodings["infos/a"] == encodings["infos/b"] == encodings["infos/new/x"] == "irregular"


def test_repacking_makes_one_extent_of_each_column(desk: Desk) -> None:
    import minari

    space = KINDS["nested"]
    episodes = make(space, lengths=(4, 1, 6, 2))
    episodes[1] = replace(
        episodes[1], infos={"odd": np.ones(2)}, options={"words": np.array([1.5, 2.5], np.float32)}
    )
    desk.write(episodes[:1], space)
    for episode in episodes[1:]:
        desk.append([episode])
    assert repack(desk.root, ID, desk.cache) == desk.data
    for stored in read_index(desk.data / "episodes.parquet").leaves.values():
        assert stored.extents is None or len(stored.extents) == 1
    with h5py.File(desk.data / "main_data.hdf5", "r") as file:
        np.testing.assert_array_equal(
            file["episode_1"].attrs["options/words"], np.array([1.5, 2.5], np.float32), strict=True
        )
        for number in (0, 2, 3):
            compare_h5py(file[f"episode_{number}"], number, episodes[number])
    assert minari.load_dataset(ID).total_episodes == 4
    for found, expected in zip(open_directory(desk.data, desk.cache), episodes, strict=True):
        compare(found.leaves(), expected.leaves())


def test_metadata_is_what_minari_expects(desk: Desk) -> None:
    import minari

    spec = gym.spec("CartPole-v1")
    episodes = make()
    desk.write(episodes, env_spec=spec, extra={"author": ["us"], "description": "made by a test"})
    dataset = minari.load_dataset(ID)
    assert dataset.spec.env_spec.id == "CartPole-v1"
    assert dataset.spec.observation_space == BOX
    assert dataset.spec.action_space == TURN
    said = json.loads((desk.data / "metadata.json").read_text())
    assert said["description"] == "made by a test"
    assert said["jpeg_encoding"] is False
    size = sum(file.stat().st_size for file in desk.data.iterdir()) / 1e6
    assert said["dataset_size"] == pytest.approx(size, abs=0.06)
    assert ID in minari.list_local_datasets()
    assert minari.namespace.list_local_namespaces() == ["zoo"]
    assert (desk.root / "zoo" / "namespace_metadata.json").read_text() == "{}"


def broken(**changes: Any) -> Episode:
    return replace(make()[0], **changes)


@pytest.mark.parametrize(
    ("episode", "said"),
    [
        (
            broken(observations=np.zeros((4, 4))),
            "observations has 4 rows where an episode of 4 steps needs 5",
        ),
        (
            broken(observations=np.zeros((5, 3))),
            r"observations: expected float64 \(T\+1, 4\), got float64 \(5, 3\)",
        ),
        (broken(observations={"x": np.zeros((5, 4))}), "no 'observations'"),
        (broken(actions=np.full((4, 1), 1j)), r"actions: expected float64 \(T, 1\), got complex128"),
        (broken(actions=[["a"]] * 4), "actions: expected float64"),
        (broken(actions=[[1], [1, 2], [3], [4]]), "actions: its rows differ"),
        (broken(terminations=np.full(4, 0.5)), "terminations: expected bool"),
        (broken(infos={"x": np.array([object()] * 5)}), "infos/x: expected numbers or texts"),
        (broken(infos={"x": np.zeros(4)}), "infos/x has 4 rows"),
        (broken(infos={"x": ["a\0"] * 5}), "NUL"),
        (broken(metadata={"seed": 3}), "'seed'"),
        (broken(metadata={"options/x": 3}), "'options/x'"),
        (broken(metadata={"": 3}), "no name"),
        (broken(metadata={"x": object()}), "'x' cannot be kept"),
        (
            Episode(np.zeros((1, 4)), np.zeros((0, 1)), np.zeros(0), np.zeros(0, bool), np.zeros(0, bool)),
            "at least one step",
        ),
    ],
)
def test_episodes_that_do_not_fit_are_refused_and_the_others_kept(
    desk: Desk, episode: Episode, said: str
) -> None:
    good = make()
    with desk.writer() as writer:
        writer.add(good[0])
        with pytest.raises(EpisodeError, match=said):
            writer.add(episode)
        assert writer.add(good[1]) == 1
    desk.check(good[:2])


def test_values_are_cast_only_where_nothing_is_lost(desk: Desk) -> None:
    space = spaces.Box(-9, 9, (2,), np.float32)
    given = replace(
        make(space, spaces.Discrete(5), lengths=(3,))[0],
        observations=[[0.5, 1], [2, 3], [4, 5], [6, 7]],
        actions=np.array([1, 2, 3], dtype=np.uint8),
        rewards=np.array([1, 2, 3]),
        terminations=[0, 0, 1],
    )
    stored = replace(
        given,
        observations=np.array(given.observations, np.float32),
        actions=np.array([1, 2, 3], np.int64),
        rewards=np.array([1.0, 2, 3]),
        terminations=np.array([False, False, True]),
    )
    with desk.writer(space, spaces.Discrete(5)) as writer:
        writer.add(given)
        with pytest.raises(EpisodeError, match=r"float32 \(T\+1, 2\), got float64 values that do not fit"):
            writer.add(replace(given, observations=np.full((4, 2), 0.1)))
        with pytest.raises(EpisodeError, match="actions: expected int64"):
            writer.add(replace(given, actions=np.array([1.0, 2.5, 3.0])))
    desk.check([stored])


def test_a_dataset_is_never_overwritten(desk: Desk) -> None:
    first, second = desk.writer(), desk.writer()
    for writer in (first, second):
        writer.add(make()[0])
    first.finalise()
    with pytest.raises(DatasetExists):
        second.finalise()
    with pytest.raises(DatasetExists):
        desk.writer()
    desk.check(make()[:1])
    (left,) = unfinished(desk.root)
    assert (left.dataset_id, left.episodes, left.live) == (ID, 1, False)
    with pytest.raises(DatasetExists):
        recover(left.spool, desk.cache)
    discard(left.spool)
    assert unfinished(desk.root) == []


def test_two_appends_at_once_lose_nothing(desk: Desk) -> None:
    episodes = make(lengths=(4, 1, 6))
    desk.write(episodes[:1])
    first, second = (DatasetWriter.append_to(desk.root, ID, cache=desk.cache) for _ in range(2))
    first.add(episodes[1])
    second.add(episodes[2])
    first.finalise()
    with pytest.raises(WriteError, match="has changed since the append to it began"):
        second.finalise()
    desk.check(episodes[:2])
    (left,) = unfinished(desk.root)
    assert recover(left.spool, desk.cache) == desk.data
    desk.check(episodes)


def test_an_exception_keeps_the_spool_and_says_so(desk: Desk) -> None:
    episodes = make()

    def fall_over() -> None:
        with desk.writer() as writer:
            writer.add(episodes[0])
            writer.add(episodes[1])
            (left,) = unfinished(desk.root)
            assert left.live
            with pytest.raises(WriteError, match="in use"):
                recover(left.spool, desk.cache)
            raise RuntimeError("the simulator fell over")

    with pytest.raises(RuntimeError, match="the simulator fell over") as caught:
        fall_over()
    assert "pytupli recover" in caught.value.__notes__[0]
    assert not desk.data.exists()
    (left,) = unfinished(desk.root)
    assert (left.episodes, left.live) == (2, False)
    recover(left.spool, desk.cache)
    desk.check(episodes[:2])


def limited(size: int) -> Any:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    return before


@pytest.mark.parametrize("mode", ["create", "append"])
def test_a_full_disk_leaves_the_old_state_and_the_spool(desk: Desk, mode: str) -> None:
    episodes = make(lengths=(40, 50, 60, 70))
    old = episodes[:2] if mode == "append" else []
    if old:
        desk.write(old)
    writer = DatasetWriter.append_to(desk.root, ID, cache=desk.cache) if old else desk.writer()
    for episode in episodes[len(old) :]:
        writer.add(episode)
    before = limited(8000)
    try:
        with pytest.raises(WriteError, match=r"spool .* make room"):
            writer.finalise()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    if old:
        desk.check(old)
    else:
        assert not desk.data.exists()
    (left,) = unfinished(desk.root)
    assert not (left.spool / "next").exists()
    recover(left.spool, desk.cache)
    desk.check(episodes)


def test_a_full_disk_refuses_an_episode_and_keeps_those_before(desk: Desk) -> None:
    episodes = make(lengths=(4, 900, 6))
    with desk.writer() as writer:
        writer.add(episodes[0])
        before = limited(4000)
        try:
            with pytest.raises(WriteError, match="could not be written"):
                writer.add(episodes[1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        writer.add(episodes[2])
    desk.check([episodes[0], episodes[2]])


def test_a_spool_whose_bytes_rotted_is_not_made_a_dataset(desk: Desk) -> None:
    writer = desk.writer()
    writer.add(make()[0])
    with (writer.spool / "leaf-0").open("r+b") as file:
        file.write(b"\x01")
    with pytest.raises(WriteError, match="observations changed on their way"):
        writer.finalise()
    assert not desk.data.exists()


def test_nothing_to_write_is_no_dataset(desk: Desk) -> None:
    with pytest.raises(WriteError, match="No complete episode"):
        desk.writer().finalise()


def test_wrong_ids_and_spaces_are_told_at_once(desk: Desk) -> None:
    with pytest.raises(InvalidReference):
        DatasetWriter.create(desk.root, "../evil-v0", observation_space=BOX, action_space=TURN)
    with pytest.raises(DatasetNotFound):
        DatasetWriter.append_to(desk.root, ID, cache=desk.cache)
    with pytest.raises(SpaceError):
        desk.writer(spaces.Graph(TURN, None))
    with pytest.raises(SpaceError):
        desk.writer({"type": "Box", "dtype": "longdouble", "shape": [2], "low": [0, 0], "high": [1, 1]})


def test_a_finished_writer_takes_no_more(desk: Desk) -> None:
    writer = desk.writer()
    writer.add(make()[0])
    writer.finalise()
    with pytest.raises(WriteError, match="closed"):
        writer.add(make()[0])
    with pytest.raises(WriteError, match="closed"):
        writer.finalise()


def random_space(depth: int = 0) -> st.SearchStrategy[spaces.Space[Any]]:
    plain = st.one_of(
        st.builds(
            lambda shape, dtype: spaces.Box(0, 9, tuple(shape), dtype),
            st.lists(st.integers(0, 3), max_size=3),
            st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint32, np.int64]),
        ),
        st.builds(spaces.Discrete, st.integers(1, 9)),
        st.builds(spaces.MultiBinary, st.integers(1, 4)),
        st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 5), min_size=1, max_size=3)),
    )
    if depth == 2:
        return plain
    parts = st.lists(random_space(depth + 1), min_size=1, max_size=3)
    return st.one_of(
        plain,
        parts.map(lambda found: spaces.Tuple(tuple(found))),
        parts.map(lambda found: spaces.Dict({f"part {number}": part for number, part in enumerate(found)})),
    )


@given(random_space(), st.lists(st.integers(1, 12), min_size=2, max_size=6), st.integers(0, 2**31), st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_datasets_round_trip(
    tmp_path_factory: Any, space: Any, lengths: list[int], seed: int, data: Any
) -> None:
    desk = Desk(tmp_path_factory.mktemp("random"))
    episodes = make(space, TURN, tuple(lengths), seed)
    cut = data.draw(st.integers(1, len(lengths)))
    desk.write(episodes[:cut], space, TURN)
    if cut < len(lengths):
        desk.append(episodes[cut:])
    desk.check(episodes)
