"""What is read off our own layout, against what h5py finds in the same file."""

import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.errors import FormatError
from pytupli_registry.storage.hdf5.block import Block, ForeignLayout
from pytupli_registry.storage.hdf5.own_layout import recognise
from pytupli_registry.storage.hdf5.scan import scan
from pytupli_registry.storage.hdf5.structure import Structure
from pytupli_registry.storage.index import read_index, same_index
from pytupli_registry.storage.local import open_directory, read_metadata
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, rebuild_index

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
NAMES = st.one_of(WORDS.filter(bool), st.sampled_from(["policy", "month", "a/b", "recorded_at"])).filter(
    lambda name: name not in {"id", "total_steps", "seed", "options"} and not name.startswith("options/")
)
FACTS = st.dictionaries(
    NAMES,
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        WORDS,
        st.lists(WORDS, min_size=1, max_size=3),
        st.lists(st.floats(width=32), min_size=1, max_size=3).map(
            lambda values: np.array(values, np.float32)
        ),
    ),
    max_size=4,
)


def make_episode(length, number=0, facts=None):
    rng = np.random.default_rng([length, number])
    return Episode(
        observations=rng.standard_normal((length + 1, 3)).astype(np.float32),
        actions=rng.integers(0, 4, length),
        rewards=rng.standard_normal(length),
        terminations=np.arange(length) == length - 1,
        truncations=np.zeros(length, dtype=bool),
        infos={"deep": {"count": np.arange(length + 1)}, "wave": np.full((length + 1, 2), 1j)},
        seed=number if number % 2 else None,
        options={"mass": 1.5, "goal": {"x": number}} if number % 3 else None,
        metadata={"month": ["June", "Jänner", ""][number % 3], "expert": True} if facts is None else facts,
    )


def write(workshop, episodes):
    writer = workshop.store.writer(
        "zoo/kind-v0",
        observation_space=spaces.Box(-9, 9, (3,), np.float32),
        action_space=spaces.Discrete(4),
    )
    with writer:
        for episode in episodes:
            writer.add(episode)
    return workshop.directory()


@pytest.fixture
def ours(workshop):
    return write(workshop, [make_episode(length, number) for number, length in enumerate((3, 1, 6, 2))])


def both(directory):
    metadata = read_metadata(directory)
    path = directory / DATA_NAME
    return recognise(path, metadata), scan(path, metadata)


def assert_same(found, expected):
    assert found.lengths.tolist() == expected.lengths.tolist()
    assert list(found.leaves.items()) == list(expected.leaves.items())
    assert found.facts.keys() == expected.facts.keys()
    for name, values in expected.facts.items():
        assert list(map(repr, found.facts[name])) == list(map(repr, values)), name


def test_says_what_h5py_says(ours):
    found, expected = both(ours)
    assert_same(found, expected)
    assert found.facts["options.goal.x"] == [None, 1, 2, None]
    assert all(stored.extents for stored in found.leaves.values())


def test_every_kind_of_space(workshop, kind):
    workshop.minari(kind, jpeg_encoding=False)
    workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    found, expected = both(workshop.directory("zoo/ours-v0"))
    if kind in {"text", "nested"}:
        assert found is None, "texts are written through h5py"
    else:
        assert_same(found, expected)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(FACTS, min_size=1, max_size=6), data=st.data())
def test_any_facts(workshop, facts, data):
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=len(facts), max_size=len(facts)))
    episodes = [
        make_episode(length, number, given)
        for number, (length, given) in enumerate(zip(lengths, facts, strict=True))
    ]
    shutil.rmtree(workshop.store.root / "zoo", ignore_errors=True)
    found, expected = both(write(workshop, episodes))
    assert found is not None
    assert_same(found, expected)


def test_files_of_others_are_left_to_h5py(ours, workshop, tmp_path):
    metadata = read_metadata(ours)
    workshop.minari("box", "zoo/theirs-v0")
    assert both(workshop.directory("zoo/theirs-v0"))[0] is None
    for content in (b"", b"\x89HDF\r\n\x1a\n", bytes(5000), (ours / DATA_NAME).read_bytes()[:-1]):
        (tmp_path / "other").write_bytes(content)
        assert recognise(tmp_path / "other", metadata) is None
    with h5py.File(ours / DATA_NAME, "r+") as file:
        file["episode_0"].attrs["seen"] = 1
    assert both(ours)[0] is None
    with pytest.raises(FormatError):
        recognise(tmp_path / "missing", metadata)


def test_appended_file_is_left_to_h5py(ours, workshop):
    with workshop.store.append("zoo/kind-v0") as writer:
        writer.add(make_episode(5, 4))
    found, expected = both(ours)
    assert found is None
    assert len(expected.lengths) == 5


def test_spaces_are_checked(ours):
    path = ours / "metadata.json"
    path.write_text(path.read_text().replace("float32", "int8"))
    with pytest.raises(FormatError):
        recognise(ours / DATA_NAME, read_metadata(ours))


def damaged_scan(raw, place, metadata):
    """Return what was recognised in damaged bytes, if anything: as h5py reads them."""
    place.write_bytes(raw)
    try:
        found = recognise(place, metadata)
    except FormatError:
        with pytest.raises(FormatError):
            scan(place, metadata)
        return None
    if found is not None:
        assert_same(found, scan(place, metadata))
    return found


def columns_of(directory):
    """Return which bytes of the file are values of a column."""
    found = np.zeros((directory / DATA_NAME).stat().st_size, dtype=bool)
    for stored in read_index(directory / INDEX_NAME).leaves.values():
        for extent in stored.extents:
            found[extent.offset : extent.offset + extent.rows * stored.leaf.row_bytes] = True
    return found


@pytest.mark.parametrize("stride", [17, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.extended])])
def test_every_byte_outside_the_columns_counts(workshop, tmp_path, stride):
    """Flip each in turn; nothing but the name or the value of an attribute may change and still be recognised."""
    directory = write(workshop, [make_episode(2, 1), make_episode(3, 2)])
    metadata, raw = read_metadata(directory), (directory / DATA_NAME).read_bytes()
    undamaged = recognise(directory / DATA_NAME, metadata)
    recognised = 0
    for place in np.flatnonzero(~columns_of(directory))[::stride].tolist():
        damaged = bytearray(raw)
        damaged[place] ^= 1 << place % 8
        found = damaged_scan(bytes(damaged), tmp_path / "damaged", metadata)
        if found is not None:
            assert found.facts != undamaged.facts
            assert found.leaves == undamaged.leaves
            assert found.lengths.tolist() == undamaged.lengths.tolist()
            recognised += 1
    assert recognised > 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_in_several_places(ours, tmp_path, data):
    raw = bytearray((ours / DATA_NAME).read_bytes())
    places = np.flatnonzero(~columns_of(ours))
    for _ in range(data.draw(st.integers(1, 4))):
        place = int(places[data.draw(st.integers(0, len(places) - 1))])
        if data.draw(st.booleans()):
            raw[place] = data.draw(st.integers(0, 255))
        else:
            source = int(places[data.draw(st.integers(0, len(places) - 9))])
            raw[place : place + 8] = raw[source : source + 8][: len(raw) - place]
    damaged_scan(bytes(raw), tmp_path / "damaged", read_metadata(ours))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_lying_index_is_never_believed(ours, workshop, tmp_path, data):
    expected = rebuild_index(ours / DATA_NAME, read_metadata(ours))
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ours, copy)
    raw = bytearray((copy / INDEX_NAME).read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    (copy / INDEX_NAME).write_bytes(bytes(raw))
    dataset = open_directory(copy, tmp_path / "cache")
    stamp = Stamps(tmp_path / "cache").find(copy / DATA_NAME)
    assert same_index(read_index(stamp.index_path), expected)
    assert [episode.total_return for episode in dataset] == [
        episode.total_return for episode in workshop.store.open("zoo/kind-v0")
    ]


def test_values_are_read_anyway(ours, tmp_path):
    """Headers that are ours say nothing about what the columns hold."""
    metadata, raw = read_metadata(ours), bytearray((ours / DATA_NAME).read_bytes())
    flags = read_index(ours / INDEX_NAME).leaves["terminations"].extents[0]
    raw[flags.offset] = 7
    (ours / DATA_NAME).write_bytes(bytes(raw))
    assert both(ours)[0] is not None
    with pytest.raises(FormatError, match="neither 0 nor 1"):
        rebuild_index(ours / DATA_NAME, metadata)


LEAVES = [
    Leaf("observations", np.dtype("<f4"), (3,), 1),
    Leaf("actions", np.dtype("<i8"), (), 0),
    Leaf("rewards", np.dtype("<f8"), (), 0),
    Leaf("terminations", np.dtype("?"), (), 0),
    Leaf("truncations", np.dtype("?"), (), 0),
]


@pytest.mark.parametrize(
    ("leaves", "groups"),
    [
        ([*LEAVES, Leaf("notes", np.dtype("<f4"), (), 0)], []),
        ([*LEAVES, Leaf("infos/.", np.dtype("<f4"), (), 1)], []),
        ([*LEAVES, Leaf("rewards_/x", np.dtype("<f4"), (), 0)], []),
        (LEAVES, ["infos"]),
    ],
    ids=["unknown root", "dot", "unknown group", "empty group"],
)
def test_what_h5py_may_read_in_another_way_is_left_to_it(ours, tmp_path, leaves, groups):
    structure = Structure(np.array([2, 3]), leaves, [{}, {}], groups)
    raw = b"".join(structure.chunks()).ljust(structure.size, b"\0")
    (tmp_path / "laid").write_bytes(raw)
    assert recognise(tmp_path / "laid", read_metadata(ours)) is None


def test_order_of_columns_is_found_again(ours, tmp_path):
    interleaved = [
        Leaf("infos/b/x", np.dtype("<f4"), (), 1),
        Leaf("infos/a", np.dtype("<i2"), (2,), 1),
        Leaf("infos/b/y", np.dtype("<c8"), (), 1),
        Leaf("infos/none", np.dtype("<f4"), (0, 2), 1),
    ]
    structure = Structure(np.array([2, 3]), [*LEAVES, *interleaved], [{}, {"seed": 3}])
    path = tmp_path / "laid"
    path.write_bytes(b"".join(structure.chunks()).ljust(structure.size, b"\0"))
    metadata = read_metadata(ours)
    assert_same(recognise(path, metadata), scan(path, metadata))


def test_links_back_into_an_episode_are_not_followed():
    """A group whose two links lead to itself would otherwise unfold without end."""
    structure = Structure(np.array([2]), LEAVES, [{}])
    raw = np.frombuffer(b"".join(structure.chunks()).ljust(structure.size, b"\0"), dtype=np.uint8).copy()
    start = int(np.frombuffer(raw.tobytes(), "<u1").tobytes().index(b"actions") - 16 - 8)
    header = next(
        at for at in range(start - start % 8, 0, -8) if raw[at] == 1 and raw[at + 4] == 1 and raw[at + 2]
    )
    assert len(Block.read(raw, header).leaves) == len(LEAVES)
    place = raw.tobytes().index(b"actions") + len(b"actions")
    raw[place : place + 8] = np.frombuffer(np.uint64(header).tobytes(), np.uint8)
    with pytest.raises(ForeignLayout):
        Block.read(raw, header)


def test_first_opening_needs_no_h5py(ours, tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from pytupli_registry.storage.local import open_directory\n"
        "print(len(open_directory(Path(sys.argv[1]), Path(sys.argv[2]))), 'h5py' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ours), str(tmp_path / "empty")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["4", "False"]
