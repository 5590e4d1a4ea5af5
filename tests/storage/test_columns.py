import pickle
import shutil
import subprocess
import sys

import h5py
import minari
import numpy as np
import pytest

from pytupli_registry.errors import FormatError, SpaceError, StaleIndex
from pytupli_registry.storage.columns import MappedColumns
from pytupli_registry.storage.trust import DATA_NAME


@pytest.fixture
def stored(workshop):
    """Our layout, and what Minari reads from it."""
    workshop.minari("nested")
    dataset = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    return dataset, list(minari.load_dataset("zoo/ours-v0"))


@pytest.fixture
def appended(workshop, buffers):
    """A column in two pieces: ours, and what our writer appended."""
    workshop.minari("box")
    workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    workshop.minari("box", "zoo/more-v0", lengths=(2, 6), seed=4)
    with workshop.store.append("zoo/ours-v0") as writer:
        for episode in workshop.store.open("zoo/more-v0"):
            writer.add(episode)
    return workshop.store.open("zoo/ours-v0")


def test_arrays_are_views_of_the_file(stored):
    dataset, episodes = stored
    for path, read in (("actions", lambda e: e.actions), ("rewards", lambda e: e.rewards)):
        column = dataset.reader.array(path)
        assert dataset.reader.is_mapped(path)
        assert not column.flags.owndata
        assert not column.flags.writeable
        np.testing.assert_array_equal(column, np.concatenate([read(episode) for episode in episodes]))
        assert np.shares_memory(column, dataset.reader.episode_value(path, 1))
        assert column is dataset.reader.array(path)


def test_pieces_are_joined_once_and_their_episodes_are_views(appended, workshop):
    columns = appended.reader
    assert len(columns._stored["observations"].extents) == 2
    assert not columns.is_mapped("observations")
    fresh = workshop.store.open("zoo/ours-v0").reader
    for position, episode in enumerate(minari.load_dataset("zoo/ours-v0")):
        piece = fresh.episode_value("observations", position)
        assert not piece.flags.owndata
        np.testing.assert_array_equal(piece, episode.observations, strict=True)
    joined = columns.array("observations")
    assert joined is columns.array("observations")
    np.testing.assert_array_equal(
        joined, np.concatenate([episode.observations for episode in minari.load_dataset("zoo/ours-v0")])
    )


def test_chunked_files_are_read_through_hdf5(workshop, kind, same_episode):
    theirs = workshop.minari(kind, jpeg_encoding=False)
    dataset = workshop.store.open("zoo/kind-v0")
    for our, their in zip(dataset, theirs, strict=True):
        same_episode(our, their)
    for path, leaf in dataset.leaves.items():
        if leaf.is_array:
            parts = [dataset.reader.episode_value(path, position) for position in range(4)]
            np.testing.assert_array_equal(dataset.array(path), np.concatenate(parts), strict=True)
            assert not dataset.array(path).flags.writeable


def test_what_is_no_array_says_so(stored):
    dataset, _ = stored
    with pytest.raises(SpaceError, match="no fixed shape"):
        dataset.reader.array("observations/parts/_index_0/said")
    with pytest.raises(KeyError):
        dataset.reader.array("observations/nothing")
    with pytest.raises(IndexError):
        dataset.reader.episode_value("actions", 4)


def test_pickles_by_path(stored):
    dataset, episodes = stored
    pickled = pickle.dumps(dataset.reader)
    again = pickle.loads(pickled)
    assert len(pickled) < 10_000
    np.testing.assert_array_equal(again.array("actions"), dataset.array("actions"))
    assert (
        again.episode_value("observations/parts/_index_0/said", 1)
        == episodes[1].observations["parts"][0]["said"]
    )


def test_pickle_of_a_file_that_changed(stored, workshop):
    dataset, _ = stored
    pickled = pickle.dumps(dataset.reader)
    path = workshop.directory("zoo/ours-v0") / DATA_NAME
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)
    with pytest.raises(StaleIndex, match="replaced or changed"):
        pickle.loads(pickled)


def test_survives_the_replacement_of_its_file(stored, workshop):
    dataset, episodes = stored
    path = workshop.directory("zoo/ours-v0") / DATA_NAME
    path.with_suffix(".new").write_bytes(b"something else")
    path.with_suffix(".new").replace(path)
    np.testing.assert_array_equal(dataset.array("rewards"), np.concatenate([e.rewards for e in episodes]))


def test_file_that_is_too_short(workshop):
    workshop.minari("box")
    dataset = workshop.store.adopt(workshop.directory(), "zoo/box-v0")
    path = workshop.directory("zoo/box-v0") / DATA_NAME
    short = path.with_suffix(".short")
    short.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError, match="the file at"):
        MappedColumns(short, dataset.reader._stored, dataset.lengths)
    short.write_bytes(b"")
    with pytest.raises(FormatError):
        MappedColumns(short, dataset.reader._stored, dataset.lengths)
    with pytest.raises(FormatError):
        MappedColumns(path.with_suffix(".gone"), dataset.reader._stored, dataset.lengths)


def test_survives_a_fork(stored, workshop):
    """Both the map and the HDF5 handle, which the parent has open."""
    script = """
import os, sys
from pathlib import Path
from pytupli_registry.storage.local import open_directory
dataset = open_directory(Path(sys.argv[1]))
said = dataset.reader.episode_value("observations/parts/_index_0/said", 1)
total = dataset.array("rewards").sum()
child = os.fork()
if child == 0:
    same = dataset.reader.episode_value("observations/parts/_index_0/said", 1) == said
    os._exit(0 if same and dataset.array("rewards").sum() == total and len(dataset.fields["seed"].values) else 1)
again = dataset.reader.episode_value("observations/parts/_index_0/said", 2)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(workshop.directory("zoo/ours-v0"))], capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_lossy_frames_are_what_minari_decodes(workshop, same_episode):
    theirs = workshop.minari("nested", jpeg_encoding=True)
    dataset = workshop.store.open("zoo/kind-v0")
    assert dataset.leaves["observations/camera"].encoding == "jpeg"
    for our, their in zip(dataset, theirs, strict=True):
        same_episode(our, their)
    with h5py.File(workshop.directory() / DATA_NAME) as file:
        frames = [bytes(frame) for frame in file["episode_1/observations/camera"]]
    assert dataset.reader.encoded_frames("observations/camera", 1) == frames


def test_a_frame_of_another_size(workshop):
    from io import BytesIO

    from PIL import Image

    workshop.minari("image", jpeg_encoding=True)
    buffer = BytesIO()
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(buffer, format="JPEG")
    dataset = workshop.store.open("zoo/kind-v0")
    with h5py.File(workshop.directory() / DATA_NAME, "a") as file:
        frames = [np.frombuffer(buffer.getvalue(), np.uint8)] * 5
        del file["episode_0/observations"]
        file.create_dataset("episode_0/observations", data=np.stack(frames))
    dataset = workshop.store.open("zoo/kind-v0")
    with pytest.raises(FormatError, match="frame 0 is 50 × 50"):
        dataset.reader.episode_value("observations", 0)


def test_loading_an_indexed_dataset_imports_little(stored, workshop):
    script = (
        "import sys; from pathlib import Path\n"
        "from pytupli_registry.storage.local import open_directory\n"
        "dataset = open_directory(Path(sys.argv[1]))\n"
        "dataset.array('rewards').sum(); dataset.fields['total_return']\n"
        "heavy = {'h5py', 'gymnasium', 'pydantic', 'torch', 'pandas', 'PIL', 'click', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy; assert 'pyarrow' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(workshop.directory("zoo/ours-v0"))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
