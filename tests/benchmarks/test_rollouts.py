"""Rollouts: what is recorded, the file, and files that lie."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytupli_registry.benchmarks.rollouts import read_rollouts, record_rollouts, write_rollouts
from pytupli_registry.benchmarks.spaces import describe_space
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.spaces import from_gymnasium
from pytupli_registry.errors import ArtifactError, EpisodeError, FormatError, SpaceError, UnsupportedFormat


class Maze(gymnasium.Env):
    """Nested observations, an image, a text and actions of several kinds; it writes into its own observation."""

    def __init__(self, limit=9):
        self.limit = limit
        self.observation_space = spaces.Dict(
            {
                "image": spaces.Box(0, 255, (32, 32, 3), np.uint8),
                "place": spaces.Tuple((spaces.Discrete(5, start=2), spaces.Box(-9, 9, (2,), np.float64))),
                "said": spaces.Text(8),
                "nothing": spaces.Dict({}),
            }
        )
        self.action_space = spaces.Dict(
            {
                "move": spaces.Box(-1, 1, (2,), np.float32),
                "turn": spaces.Tuple((spaces.Discrete(3), spaces.MultiDiscrete([2, 4]))),
                "lamps": spaces.MultiBinary(3),
            }
        )
        self.image = np.zeros((32, 32, 3), np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count, self.place = 0, self.np_random.normal(size=2)
        return self.observation(), {}

    def observation(self):
        self.image[:] = (self.count * 7) % 256
        said = "" if self.count % 2 else "é→" * self.count
        return {
            "image": self.image,
            "place": (2 + self.count % 5, self.place),
            "said": said[:8],
            "nothing": {},
        }

    def step(self, action):
        assert self.action_space.contains(action)
        self.count += 1
        self.place += action["move"] + action["turn"][0]
        action["move"][:] = 0  # environments may
        return (
            self.observation(),
            float(self.place[0]),
            self.count >= self.limit,
            False,
            {"count": self.count},
        )


ENVIRONMENTS = {
    "cartpole": lambda: gymnasium.make("CartPole-v1"),
    "pendulum": lambda: gymnasium.make("Pendulum-v1"),
    "frozen lake": lambda: gymnasium.make("FrozenLake-v1"),
    "taxi": lambda: gymnasium.make("Taxi-v3"),
    "blackjack": lambda: gymnasium.make("Blackjack-v1"),
    "maze": Maze,
}
SEEDS = (3, 1, 4)


@pytest.fixture(params=ENVIRONMENTS, ids=lambda name: name.replace(" ", "-"))
def make_env(request):
    return ENVIRONMENTS[request.param]


def described(env):
    return from_gymnasium(env.observation_space), from_gymnasium(env.action_space)


def written(episodes):
    file = io.BytesIO()
    write_rollouts(episodes, file)
    return file.getvalue()


def stepped_by_hand(make_env, seed, max_steps):
    """What a person would write: every value of one rollout, copied."""
    env = make_env()
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    seen, done, rewards, flags = [copied(observation)], [], [], []
    for _ in range(max_steps):
        action = env.action_space.sample()
        done.append(copied(action))
        observation, reward, terminated, truncated, _ = env.step(action)
        seen.append(copied(observation))
        rewards.append(reward)
        flags.append((terminated, truncated))
        if terminated or truncated:
            break
    env.close()
    return seen, done, rewards, flags


def copied(value):
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    return tuple(map(copied, value)) if isinstance(value, tuple) else np.array(value)


def row(tree, number):
    if isinstance(tree, dict):
        return {key: row(part, number) for key, part in tree.items()}
    return tuple(row(part, number) for part in tree) if isinstance(tree, tuple) else tree[number]


def assert_same(one, other):
    assert isinstance(one, dict) == isinstance(other, dict)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert np.array_equal(one, other), (one, other)


def assert_same_episodes(ones, others):
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        assert (one.seed, one.episode_id, len(one)) == (other.seed, other.episode_id, len(other))
        left, right = one.leaves(), other.leaves()
        assert left.keys() == right.keys()
        for path, values in left.items():
            if isinstance(values, list):
                assert values == right[path]
            else:
                assert (values.dtype, values.shape) == (right[path].dtype, right[path].shape), path
                assert values.tobytes() == right[path].tobytes(), path


def test_rollouts_are_what_a_loop_by_hand_sees(make_env):
    episodes = record_rollouts(make_env, seeds=SEEDS, max_steps=40)
    assert [episode.seed for episode in episodes] == list(SEEDS)
    assert [episode.episode_id for episode in episodes] == [0, 1, 2]
    for episode in episodes:
        seen, done, rewards, flags = stepped_by_hand(make_env, episode.seed, 40)
        assert len(episode) == len(rewards) > 0
        for number, observation in enumerate(seen):
            assert_same(row(episode.observations, number), observation)
        for number, action in enumerate(done):
            assert_same(row(episode.actions, number), action)
        assert episode.rewards.dtype == np.float64
        assert episode.rewards.tolist() == [float(reward) for reward in rewards]
        assert list(zip(episode.terminations, episode.truncations, strict=True)) == flags
        episode.check()


def test_lengths_differ_and_a_cut_is_no_truncation():
    episodes = record_rollouts(ENVIRONMENTS["cartpole"], seeds=(0, 1, 2), max_steps=15)
    assert len({len(episode) for episode in episodes}) > 1
    cut = [episode for episode in episodes if len(episode) == 15]
    assert cut
    assert not any(episode.truncations.any() or episode.terminations[:-1].any() for episode in episodes)
    limited = record_rollouts(lambda: gymnasium.make("Pendulum-v1", max_episode_steps=12), max_steps=40)
    assert all(episode.truncated and len(episode) == 12 for episode in limited)


def test_each_rollout_has_an_environment_of_its_own():
    def make_env():
        return gymnasium.wrappers.NormalizeObservation(gymnasium.make("Pendulum-v1"))

    together = record_rollouts(make_env, seeds=(5, 6), max_steps=20)
    alone = record_rollouts(make_env, seeds=(6,), max_steps=20)
    assert np.array_equal(together[1].observations, alone[0].observations)


def test_environments_are_closed_also_on_errors():
    closed = []

    class Broken(Maze):
        def step(self, action):
            raise RuntimeError("it broke")

        def close(self):
            closed.append(1)

    with pytest.raises(RuntimeError, match="it broke"):
        record_rollouts(Broken)
    assert closed == [1]


def test_what_does_not_fit_the_space_is_said():
    class Wrong(Maze):
        def observation(self):
            return super().observation() | {"place": (2, np.zeros(3))}

    with pytest.raises(EpisodeError, match="observations/place/_index_1"):
        record_rollouts(Wrong)


def test_the_file_gives_everything_back(make_env, tmp_path):
    episodes = record_rollouts(make_env, seeds=SEEDS, max_steps=30)
    path = tmp_path / "rollouts.npz"
    path.write_bytes(written(episodes))
    env = make_env()
    assert_same_episodes(read_rollouts(path, *described(env)), episodes)
    short = describe_space(env.observation_space), describe_space(env.action_space)
    assert_same_episodes(read_rollouts(path, *short), episodes)


def test_the_same_rollouts_are_the_same_bytes(make_env):
    first = written(record_rollouts(make_env, seeds=SEEDS, max_steps=30))
    second = written(record_rollouts(make_env, seeds=SEEDS, max_steps=30))
    assert first == second
    assert written(record_rollouts(make_env, seeds=(8, 9), max_steps=30)) != first


def test_numpy_reads_the_file():
    episodes = record_rollouts(ENVIRONMENTS["pendulum"], seeds=(1, 2), max_steps=7)
    with np.load(io.BytesIO(written(episodes)), allow_pickle=False) as loaded:
        header = json.loads(loaded["rollouts.json"])
        columns = {path: loaded[f"leaf-{number:04}"] for number, path in enumerate(header["leaves"])}
    assert header["rollouts"] == [{"length": 7, "seed": 1}, {"length": 7, "seed": 2}]
    for path, column in columns.items():
        assert np.array_equal(column, np.concatenate([episode.leaves()[path] for episode in episodes]))


def test_large_ones_are_compressed_and_small_ones_not(tmp_path):
    small = written(record_rollouts(ENVIRONMENTS["pendulum"], seeds=(1,)))
    large_ones = record_rollouts(lambda: Maze(limit=200), seeds=(1, 2), max_steps=200)
    large = written(large_ones)
    for content, method in ((small, zipfile.ZIP_STORED), (large, zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert {info.compress_type for info in archive.infolist()} == {method}
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert len(large) < 400_000 < 2 * 200 * 32 * 32 * 3
    path = tmp_path / "large.npz"
    path.write_bytes(large)
    assert_same_episodes(read_rollouts(path, *described(Maze())), large_ones)


def test_infos_are_left_out(tmp_path):
    episodes = record_rollouts(Maze, seeds=(1,))
    told = [replace(episode, infos={"count": np.arange(len(episode) + 1)}) for episode in episodes]
    assert written(told) == written(episodes)


def test_what_cannot_be_written_is_said():
    maze, pendulum = record_rollouts(Maze, seeds=(1,)), record_rollouts(ENVIRONMENTS["pendulum"], seeds=(1,))
    with pytest.raises(ArtifactError, match="1 to 10,000"):
        written([])
    with pytest.raises(ArtifactError, match="different environments"):
        written([*maze, *pendulum])
    with pytest.raises(ArtifactError, match="different environments"):
        written([*pendulum, *maze])
    longer = replace(pendulum[0], observations=pendulum[0].observations.astype(np.float64))
    with pytest.raises(ArtifactError, match="what observations is"):
        written([*pendulum, longer])
    with pytest.raises(EpisodeError, match="at least one step"):
        written(record_rollouts(Maze, seeds=(1,), max_steps=0))
    with pytest.raises(ArtifactError, match="not the dtype object"):
        written([replace(pendulum[0], actions=np.full(len(pendulum[0]), None))])


# Any spaces, any values.

DTYPES = [np.float32, np.float64, np.int32, np.int64, np.uint8, np.float16]
KEYS = st.text(st.characters(exclude_characters="/\x00", codec="utf-8"), min_size=1, max_size=4).filter(
    lambda key: key not in {".", ".."}
)


@st.composite
def boxes(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    low, high = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return spaces.Box(low, high, shape, dtype.type)


LEAVES = (
    boxes()
    | st.builds(spaces.Discrete, st.integers(1, 9))
    | st.just(spaces.MultiBinary(2))
    | st.just(spaces.Text(4))
)
SPACES = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(KEYS, inner, max_size=3).map(spaces.Dict)
        | st.lists(inner, max_size=3).map(lambda parts: spaces.Tuple(tuple(parts)))
    ),
    max_leaves=4,
)


def values_of(draw, space, rows):
    match space:
        case spaces.Dict():
            return {key: values_of(draw, part, rows) for key, part in space.spaces.items()}
        case spaces.Tuple():
            return tuple(values_of(draw, part, rows) for part in space.spaces)
        case spaces.Text():
            return draw(
                st.lists(st.text(st.characters(codec="utf-8"), max_size=4), min_size=rows, max_size=rows)
            )
        case spaces.Discrete():
            return draw(hnp.arrays(np.int64, (rows,)))
    return draw(hnp.arrays(space.dtype, (rows, *space.shape)))


@st.composite
def recordings(draw):
    observation_space, action_space = draw(SPACES), draw(SPACES)
    episodes = []
    for number in range(draw(st.integers(1, 3))):
        length = draw(st.integers(1, 4))
        last = np.arange(length) == length - 1
        episodes.append(
            Episode(
                observations=values_of(draw, observation_space, length + 1),
                actions=values_of(draw, action_space, length),
                rewards=draw(hnp.arrays(np.float64, (length,))),
                terminations=last & draw(st.booleans()),
                truncations=last & draw(st.booleans()),
                episode_id=number,
                seed=draw(st.none() | st.integers(0, 2**64)),
            )
        )
    return (from_gymnasium(observation_space), from_gymnasium(action_space)), episodes


@given(recordings())
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_is_read_bit_by_bit(tmp_path_factory, recording):
    described_spaces, episodes = recording
    path = tmp_path_factory.mktemp("rollouts") / "r.npz"
    path.write_bytes(written(episodes))
    assert_same_episodes(read_rollouts(path, *described_spaces), episodes)


# Files that lie.


@pytest.fixture(scope="module")
def valid():
    episodes = record_rollouts(ENVIRONMENTS["cartpole"], seeds=(0, 1))
    with zipfile.ZipFile(io.BytesIO(written(episodes))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def refuse(tmp_path):
    def attempt(content, error=FormatError, match=None):
        path = tmp_path / "hostile.npz"
        path.write_bytes(content)
        with pytest.raises(error, match=match) as caught:
            read_rollouts(path, *described(ENVIRONMENTS["cartpole"]()))
        assert str(path) in str(caught.value)
        return caught.value

    return attempt


def packed(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content, compress_type=method)
    return file.getvalue()


def changed(valid, **keys):
    return packed(valid | {"rollouts.json": json.dumps(json.loads(valid["rollouts.json"]) | keys)})


def test_archives_of_another_writer_are_read(valid, tmp_path):
    path = tmp_path / "again.npz"
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path.write_bytes(packed(valid, method))
        found = read_rollouts(path, *described(ENVIRONMENTS["cartpole"]()))
        assert_same_episodes(found, record_rollouts(ENVIRONMENTS["cartpole"], seeds=(0, 1)))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"\x80\x04pickle", bytes(5000), b"\x93NUMPY\x01\x00"]
)
def test_what_is_no_archive_is_refused(refuse, content):
    refuse(content)


def test_a_directory_or_nothing_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing.npz"):
        with pytest.raises(FormatError, match="no file of rollouts"):
            read_rollouts(path, *described(ENVIRONMENTS["cartpole"]()))


def test_other_methods_of_packing_are_refused(refuse, valid):
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refuse(packed(valid, method), match="packed in a way")


def test_an_encrypted_archive_is_refused(refuse, valid):
    content = bytearray(packed(valid))
    central = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[central + 8] |= 1
    refuse(bytes(content), match="packed in a way")


def test_a_long_table_of_contents_is_refused_before_it_is_read(refuse, valid):
    content = bytearray(packed(valid))
    for field, value in ((10, 65535), (12, 2**31)):
        hostile = bytearray(content)
        size = 2 if field == 10 else 4
        hostile[len(hostile) - 22 + field : len(hostile) - 22 + field + size] = value.to_bytes(size, "little")
        refuse(bytes(hostile), match="table of contents")
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 1)
    refuse(bytes(content[:-22]) + locator + bytes(content[-22:]), match="table of contents")
    refuse(bytes(content[:-2]) + b"\x04\x00abcd", match="does not end")


def test_a_bomb_is_not_unpacked(refuse, valid):
    name = "leaf-0001.npy"
    bomb = packed(valid | {name: valid[name][:128] + bytes(100_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 200_000
    tracemalloc.start()
    refuse(bomb, match="100,000,128 bytes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_lengths_that_nothing_backs_are_refused(refuse, valid):
    refuse(
        changed(valid, rollouts=[{"length": 2**29, "seed": 0}] * 1000),
        match="bytes; 536,871,912,000 rows|take",
    )
    refuse(changed(valid, rollouts=[{"length": 2**60, "seed": 0}]), match="less than or equal")
    refuse(changed(valid, rollouts=[]), match="take")


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"leaves": ["observations"]}, "leaves are missing"),
        (
            {"leaves": ["actions", "observations", "rewards", "terminations", "truncations", "x"]},
            "other leaves",
        ),
        ({"leaves": ["actions"] * 5}, "leaves are missing"),
        ({"rollouts": [{"length": 0, "seed": 0}]}, "greater than"),
        ({"rollouts": [{"length": 3, "seed": -1}]}, "greater than"),
        ({"rollouts": [{"length": "3", "seed": 1}]}, "valid integer"),
        ({"rollouts": [{"length": 3, "seed": 1, "more": 1}]}, "not permitted"),
        ({"format": "pytupli-benchmark"}, "pytupli-rollouts"),
    ],
)
def test_headers_that_lie_are_refused(refuse, valid, keys, match):
    refuse(changed(valid, **keys), match=match)


def test_a_later_format_version_is_told(refuse, valid):
    assert "later release" in refuse(changed(valid, format_version=2), UnsupportedFormat).hint


@pytest.mark.parametrize(
    "text", ["", "[", "null", "[" * 100_000, '{"format": NaN}', "\udcff".encode("utf-8", "surrogatepass")]
)
def test_headers_that_are_no_json_are_refused(refuse, valid, text):
    refuse(packed(valid | {"rollouts.json": text}))


def test_a_header_that_is_too_long_is_refused(refuse, valid):
    refuse(packed(valid | {"rollouts.json": b" " * (5 << 20)}), match="more than it may")


def test_members_have_to_be_those_of_the_header(refuse, valid):
    without = {name: content for name, content in valid.items() if name != "leaf-0004.npy"}
    refuse(packed(without), match="members are not")
    refuse(packed(valid | {"../../evil.npy": b""}), match="members are not")
    refuse(packed(valid | {"leaf-0005.npy": b""}), match="members are not")
    refuse(packed({name: valid[name] for name in reversed(valid)}), match="members are not")
    refuse(
        packed({name: content for name, content in valid.items() if name != "rollouts.json"}),
        match=r"no rollouts\.json",
    )


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_arrays_of_another_dtype_or_shape_are_refused(refuse, valid):
    rewards = np.load(io.BytesIO(valid["leaf-0002.npy"]))
    for wrong in (
        rewards.astype(np.float32),
        rewards.astype(">f8"),
        rewards.view(np.int64),
        rewards.reshape(-1, 1),
        rewards[:-1],
        np.asfortranarray(np.zeros((len(rewards), 2))),
        np.array([{}] * len(rewards)),
        rewards.astype("M8[s]"),
    ):
        refuse(packed(valid | {"leaf-0002.npy": npy(wrong)}))


def test_flags_are_checked(refuse, valid):
    flags = valid["leaf-0003.npy"]
    refuse(packed(valid | {"leaf-0003.npy": flags[:-1] + b"\x02"}), match="neither 0 nor 1")
    rows = flags[128:]
    refuse(packed(valid | {"leaf-0003.npy": flags[:128] + b"\x01" + rows[1:]}), match="goes on after its end")


def test_rollouts_of_other_spaces_are_refused(tmp_path):
    path = tmp_path / "r.npz"
    path.write_bytes(written(record_rollouts(ENVIRONMENTS["pendulum"], seeds=(1,))))
    for name in ("cartpole", "frozen lake", "maze"):
        with pytest.raises(FormatError):
            read_rollouts(path, *described(ENVIRONMENTS[name]()))
    with pytest.raises(SpaceError):
        read_rollouts(path, {"type": "Graph"}, {"type": "Discrete", "n": 2})


def test_texts_have_to_be_a_list_of_as_many_texts(tmp_path):
    path = tmp_path / "r.npz"
    episodes = record_rollouts(Maze, seeds=(1,))
    with zipfile.ZipFile(io.BytesIO(written(episodes))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith(".json") and name != "rollouts.json")
    for wrong in (b"[]", b'["a"]', b"[1,2,3,4,5,6,7,8,9,10]", b"{}", b"[" * 9999, b""):
        path.write_bytes(packed(members | {name: wrong}))
        with pytest.raises(FormatError, match="text"):
            read_rollouts(path, *described(Maze()))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_noticed_or_harmless(valid, tmp_path_factory, data):
    content = bytearray(packed(valid))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "r.npz"
    path.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        found = read_rollouts(path, *described(ENVIRONMENTS["cartpole"]()))
    except FormatError:
        return
    assert_same_episodes(found, record_rollouts(ENVIRONMENTS["cartpole"], seeds=(0, 1)))
