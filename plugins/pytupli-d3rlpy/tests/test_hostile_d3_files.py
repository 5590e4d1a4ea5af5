"""``.d3`` files that are hostile, broken, or of another time: nothing runs, and the error is ours."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import pickletools
import time
import zipfile

import d3rlpy
import numpy as np
import pytest
import torch
from d3rlpy.models import VectorEncoderFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_d3rlpy import read_d3
from pytupli_d3rlpy.plain_pickle import read_plain_pickle
from pytupli_d3rlpy.weights import read_weights
from pytupli_registry.errors import ArtifactError, FormatError, PytupliError, UnsafeFile, UnsupportedFormat

TINY = VectorEncoderFactory([8])


@pytest.fixture
def good(tmp_path):
    """A small file, and what is in it."""
    algo = d3rlpy.algos.BCConfig(encoder_factory=VectorEncoderFactory([4])).create()
    algo.create_impl((3,), 2)
    algo.save(str(tmp_path / "good.d3"))
    return pickle.loads((tmp_path / "good.d3").read_bytes())


@pytest.fixture
def refused(tmp_path):
    """Read some bytes, which must fail in time, and without running anything."""

    def read(content, kind=FormatError, match=None):
        path = tmp_path / "hostile.d3"
        path.write_bytes(content)
        began = time.monotonic()
        with pytest.raises(kind, match=match) as caught:
            read_d3(path)
        assert time.monotonic() - began < 20
        assert not (tmp_path / "ran").exists()
        return caught.value

    return read


def test_another_minor_version_is_a_warning(tmp_path, good):
    path = tmp_path / "older.d3"
    path.write_bytes(pickle.dumps({**good, "version": "2.1.0"}))
    with pytest.warns(UserWarning, match=r"written by d3rlpy 2\.1\.0"):
        algo = read_d3(path)
    assert algo.predict(np.zeros((1, 3), np.float32)).shape == (1, 2)


@pytest.mark.parametrize("version", ["1.1.1", "3.0.0", "", "2", "2.8.1\n", "x" * 100_000])
def test_another_major_version_is_refused(refused, good, version):
    error = refused(pickle.dumps({**good, "version": version}), UnsupportedFormat, "written by d3rlpy")
    assert len(str(error)) < 500


class Runs:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", ["whole", "torch", "config", "version", "extra", "inside"])
def test_code_in_the_pickle_does_not_run(refused, good, tmp_path, protocol, place):
    hostile = {
        "whole": Runs(),
        "extra": {**good, "extra": Runs()},
        "inside": {**good, "config": [good["config"], {"a": Runs()}]},
    }.get(place, {**good, place: Runs()})
    content = pickle.dumps(hostile, protocol=protocol)
    assert any(operation.name == "REDUCE" for operation, _, _ in pickletools.genops(content))
    refused(content, UnsafeFile, "instruction|asks for")


def archive(good, change=None, **records):
    """Return the file with some records of its weights changed; None leaves one out."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good["torch"])) as there, zipfile.ZipFile(written, "w") as made:
        root = there.namelist()[0].partition("/")[0]
        parts = {name.partition("/")[2]: there.read(name) for name in there.namelist()}
        parts.update(records)
        if change is not None:
            parts["data.pkl"] = change(parts["data.pkl"])
        for name, content in parts.items():
            if content is not None:
                made.writestr(f"{root}/{name}", content)
    return pickle.dumps({**good, "torch": written.getvalue()})


def test_rebuilding_an_archive_changes_nothing(good, tmp_path):
    """The oracle of the hostile ones: unchanged, it is read."""
    path = tmp_path / "same.d3"
    path.write_bytes(archive(good, lambda description: description))
    mine, theirs = read_d3(path).predict(np.eye(3)), d3rlpy.load_learnable(str(path)).predict(np.eye(3))
    assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_in_the_weights_does_not_run(refused, good, protocol):
    refused(archive(good, lambda _: pickle.dumps(Runs(), protocol=protocol)), UnsafeFile)
    refused(archive(good, lambda _: pickle.dumps({"_imitator": Runs()}, protocol=protocol)), UnsafeFile)


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02cbuiltins\neval\nX\x08\x00\x00\x001/0#####\x85R.",
        b"\x80\x02ctorch\nload\n)R.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",  # a dtype of ours is nothing to call
        b"\x80\x02ccollections\nOrderedDict\nX\x01\x00\x00\x00a\x85R.",
        b"\x80\x02ccollections\nOrderedDict\n}b.",  # attributes of a name
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02X\x01\x00\x00\x00aQ.",
        b"\x80\x02(lp0\n0.",
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x80\x02(i__main__\nRuns\n.",
        b"\x80\x02}\x81.",
        b"\x80\x02.",
        b"\x80\x02}}.",
        b"\x80\x02}",
        b"",
        b"\x80\x02h\x05.",
        b"\x80\x02]}K\x01K\x02s\x85.",
        b"\x80\x02](((u.",
        b"\x80\x02}(]K\x01u.",
        b"\x80\x02]K\x01K\x02s.",
    ],
)
def test_weights_of_odd_instructions_are_refused(refused, good, program):
    refused(archive(good, lambda _: program))
    refused(program)


def test_a_pickle_of_another_thing_is_refused(refused, good):
    for thing in (None, [], {}, {"torch": 1}, good["config"], {**good, "torch": "text"}, {**good, "more": 1}):
        refused(pickle.dumps(thing), match="no file of d3rlpy|d3rlpy does not write")


def test_a_file_that_is_no_pickle_is_refused(refused, tmp_path):
    refused(b"PK\x03\x04")
    refused(os.urandom(1000))
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_d3(tmp_path / "nowhere.d3")


def test_a_length_that_the_file_does_not_have_takes_no_memory(refused):
    refused(b"\x80\x04\x8e" + (1 << 50).to_bytes(8, "little") + b"x.")


def test_size_is_bounded(good, tmp_path):
    path = tmp_path / "good.d3"
    path.write_bytes(pickle.dumps(good))
    read_d3(path, max_bytes=path.stat().st_size)
    with pytest.raises(UnsafeFile, match="larger than"):
        read_d3(path, max_bytes=path.stat().st_size - 1)


def test_a_bomb_of_compression_is_refused(refused, good):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("archive/data/0", bytes(200_000_000))
    refused(pickle.dumps({**good, "torch": packed.getvalue()}), UnsafeFile, "compressed")


def test_a_bomb_of_overlapping_parts_is_refused(refused, good):
    """One stored megabyte, listed a hundred times."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("archive/data/0", bytes(1_000_000))
        for number in range(1, 100):
            twin = zipfile.ZipInfo(f"archive/data/{number}")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(twin, name, getattr(made.filelist[0], name))
            made.filelist.append(twin)
        made._didModify = True
    refused(pickle.dumps({**good, "torch": packed.getvalue()}), UnsafeFile, "overlap")


def doubled(depth):
    """Return instructions that leave a tuple of itself twice, and so on: hashing or writing it takes 2**depth steps."""
    return b"K\x01" + b"".join(
        b"q" + bytes([place]) + b"h" + bytes([place]) + b"\x86" for place in range(depth)
    )


def test_values_that_take_years_to_hash_or_to_write_are_refused(refused, good):
    key = b"\x80\x02ccollections\nOrderedDict\n](" + doubled(200) + b"K\x02\x86e\x85R."
    refused(archive(good, lambda _: key))
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    refused(archive(good, lambda _: b"\x80\x02" + storage + doubled(200) + b"tQ."), UnsafeFile, "claims")


def test_parts_that_torch_does_not_write_are_refused(refused, good):
    for name in ("../../evil", "code/__torch__.py", "constants.pkl", "data/x", "data/00000000000"):
        refused(archive(good, **{name: b"x"}), UnsafeFile, "does not write")


def test_weights_that_are_not_there_are_refused(refused, good):
    refused(archive(good, **{"data/0": None}))
    refused(archive(good, **{"data/0": b"\0\0\0"}), match="cut off")
    refused(archive(good, **{"data/0": bytes(8)}), UnsafeFile, "claims")
    refused(archive(good, **{"data.pkl": None}), match="not an archive")
    refused(archive(good, byteorder=b"big"), match="little-endian")
    refused(pickle.dumps({**good, "torch": b""}), match="broken archive")
    refused(pickle.dumps({**good, "torch": good["torch"][: len(good["torch"]) // 2]}), match="broken archive")


def claims(size, stride, count=12, offset=0):
    """Return a description of weights with one tensor over 12 numbers."""

    class Described:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, {})

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", torch.FloatStorage, "0", "cpu", count) if isinstance(value, Storage) else None

    written = io.BytesIO()
    Pickler(written, protocol=2).dump({"a": Described()})
    return written.getvalue()


def test_tensors_larger_than_their_bytes_are_refused(refused, good):
    good = pickle.loads(archive(good, **{"data/0": bytes(48)}))
    bad = [
        ((13,), (1,), 12, 0),
        ((12,), (1,), 12, 1),
        ((4, 3), (4, 1), 12, 0),
        ((10**9, 10**9), (0, 0), 12, 0),
        ((-1,), (1,), 12, 0),
        ((2,), (-1,), 12, 1),
        ((2.0,), (1,), 12, 0),
        ((True,), (1,), 12, 0),
        ((2,), (1, 1), 12, 0),
        ((1,) * 65, (1,) * 65, 12, 0),
        ((12,), (1,), 10**12, 0),
        (("2",), (1,), 12, 0),
    ]
    for size, stride, count, offset in bad:
        refused(archive(good, lambda _, case=(size, stride, count, offset): claims(*case)))
    right = pickle.loads(archive(good, lambda _: claims((3, 4), (1, 3))))["torch"]
    assert read_weights(right)["a"].shape == (3, 4)


def test_one_tensor_a_thousand_times_is_refused(refused, good):
    """Each would be copied when it is loaded."""
    packed = io.BytesIO()
    shared = torch.zeros(100_000)
    torch.save({str(number): shared for number in range(1000)}, packed)
    refused(pickle.dumps({**good, "torch": packed.getvalue()}), UnsafeFile, "claim")


def test_a_billion_laughs_are_refused(refused, good):
    laughs = [1.0]
    for _ in range(12):
        laughs = [laughs] * 10
    endless = []
    endless.append(endless)
    for joke in (laughs, endless):
        packed = io.BytesIO()
        torch.save({"_imitator": {"a": joke}}, packed)
        refused(pickle.dumps({**good, "torch": packed.getvalue()}), UnsafeFile, "nested deeper|more values")


def configured(good, change):
    config = json.loads(good["config"])
    change(config)
    return pickle.dumps({**good, "config": json.dumps(config)})


def encoder(config):
    return config["config"]["params"]["encoder_factory"]["params"]


@pytest.mark.parametrize(
    "change",
    [
        lambda config: encoder(config).update(hidden_units=[10**6, 10**6]),
        lambda config: encoder(config).update(hidden_units=[10**30]),
        lambda config: encoder(config).update(hidden_units=[4] * 100_000),
        lambda config: encoder(config).update(hidden_units=[4] * 900),
        lambda config: encoder(config).update(hidden_units="wide"),
        lambda config: encoder(config).update(hidden_units=[-4]),
        lambda config: encoder(config).update(activation="__import__"),
        lambda config: config.update(observation_shape=[10**12]),
        lambda config: config.update(observation_shape=[4]),
        lambda config: config.update(observation_shape=[]),
        lambda config: config.update(observation_shape=[0]),
        lambda config: config.update(observation_shape="3"),
        lambda config: config.update(observation_shape=[[3], [3]]),
        lambda config: config.update(action_size=3),
        lambda config: config.update(action_size=True),
        lambda config: config.update(action_size=10**15),
        lambda config: config["config"].update(type="os.system"),
        lambda config: config["config"].update(type="sac"),
        lambda config: config["config"].update(type=["bc"]),
        lambda config: config["config"].update(params=None),
        lambda config: config["config"]["params"].update(policy_type="stochastic"),
        lambda config: config["config"]["params"]["optim_factory"].update(type="subprocess"),
        lambda config: config.clear(),
    ],
)
def test_configurations_that_the_weights_do_not_bear_out_are_refused(refused, good, change):
    error = refused(configured(good, change))
    assert len(str(error)) < 1000


def test_counts_that_no_weight_bounds_are_bounded(refused, tmp_path):
    algo = d3rlpy.algos.BCQConfig().create()
    algo.create_impl((3,), 2)
    algo.save(str(tmp_path / "bcq.d3"))
    there = pickle.loads((tmp_path / "bcq.d3").read_bytes())

    def ask(config):
        config["config"]["params"]["n_action_samples"] = 10**9

    refused(configured(there, ask), UnsafeFile, "n_action_samples")


@pytest.mark.parametrize("count", [10**9, 10**5])
def test_more_critics_than_weights_are_not_built(refused, tmp_path, count):
    algo = d3rlpy.algos.DQNConfig(encoder_factory=TINY).create()
    algo.create_impl((3,), 2)
    algo.save(str(tmp_path / "dqn.d3"))
    there = pickle.loads((tmp_path / "dqn.d3").read_bytes())
    refused(configured(there, lambda config: config["config"]["params"].update(n_critics=count)), UnsafeFile)


def test_configurations_that_are_no_json_are_refused(refused, good):
    for config in ("", "[]", "null", "{", "[" * 1_000_000, '{"a":' * 200 + "1" + "}" * 200, "1" * 10_000):
        refused(pickle.dumps({**good, "config": config}))


@pytest.mark.parametrize("target", ["1", None, "nan", {"a": 1}])
def test_a_target_return_of_another_policy_is_refused(refused, good, target):
    extra = json.dumps({"target_return": float("nan") if target == "nan" else target or "x"})
    refused(pickle.dumps({**good, "pytupli": extra}), match="target return")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda part: st.lists(part) | st.tuples(part, part) | st.dictionaries(st.text(), part),
)


@settings(max_examples=100, deadline=None)
@given(PLAIN, st.sampled_from([3, 4, 5]))
def test_plain_values_come_back(value, protocol):
    assert read_plain_pickle(pickle.dumps(value, protocol), max_operations=100_000) == value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_random_programs_end_in_our_errors(program):
    with contextlib.suppress(ValueError):
        read_plain_pickle(b"\x80\x04" + program, max_operations=100)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "policy.d3"
    algo = d3rlpy.algos.BCConfig(encoder_factory=VectorEncoderFactory([2])).create()
    algo.create_impl((1,), 1)
    algo.save(str(path))
    return path, path.read_bytes()


@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans())
@pytest.mark.filterwarnings("ignore:.*was written by d3rlpy:UserWarning")
def test_damaged_files_end_in_our_errors(small_file, place, byte, cut):
    path, content = small_file
    at = int(place * len(content))
    path.write_bytes(content[:at] + bytes([byte]) + (b"" if cut else content[at + 1 :]))
    with contextlib.suppress(PytupliError):
        read_d3(path)
