"""Where artifacts wait: names, sharing, files that change, and that nothing is left behind."""

from __future__ import annotations

import gc
import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.benchmarks.arguments import decode, encode
from pytupli_registry.benchmarks.artifacts.files import open_verified
from pytupli_registry.benchmarks.artifacts.reader import ArtifactReader
from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
from pytupli_registry.errors import ArtifactError, FormatError, UnsafeFile

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,95}")


@pytest.fixture
def spool():
    with ArtifactSpool() as made:
        yield made


def wind(directory: Path, name: str = "wind.csv", text: str = "hour,speed\n0,3.5\n") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_entries_say_what_is_there(spool, tmp_path):
    path = wind(tmp_path)
    assert spool.add(path, "wind") == "wind"
    entry = spool.entries["wind"]
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry.size, entry.codec, entry.file_name) == (path.stat().st_size, "file", "wind.csv")
    assert entry.details == {"type": "path"}
    assert spool.contents == {entry.sha256: path}


def test_names_come_from_the_places(spool):
    names = [
        spool.add(str(number).encode(), place)
        for number, place in enumerate(
            ["prices", "prices", "a.b[2].c", "weird ✓ name", "…", "prices", "p" * 300]
        )
    ]
    assert names == ["prices", "prices-2", "a-b-2-c", "weird-name", "artifact", "prices-3", "p" * 80]


@given(st.lists(st.text(), max_size=4))
def test_every_name_is_one(places):
    with ArtifactSpool() as made:
        names = {made.add(str(number).encode(), place) for number, place in enumerate(places)}
        assert len(names) == len(places)
        assert all(NAME.fullmatch(name) for name in names)


@pytest.mark.parametrize(
    ("given_name", "stored"),
    [
        ("wind.csv", "wind.csv"),
        ("my wind data (1).csv.gz", "my_wind_data_1_.csv.gz"),
        (".hidden", "hidden"),
        ("ü.csv", "_.csv"),
        ("-rf", "rf"),
        ("w" * 200 + ".csv", "w" * 80 + ".csv"),
    ],
)
def test_file_names_are_safe_and_keep_their_suffix(spool, tmp_path, given_name, stored):
    spool.add(wind(tmp_path, given_name), "wind")
    assert spool.entries["wind"].file_name == stored


def test_the_same_content_is_kept_once(spool, tmp_path):
    first = spool.add(np.arange(3), "a")
    assert spool.add(np.arange(3), "b") == first
    assert spool.add(wind(tmp_path), "c") == spool.add(wind(tmp_path, "copy.csv"), "d") == "c"
    assert len(spool.entries) == len(spool.contents) == 2


def test_what_comes_back_otherwise_is_another_artifact(spool, tmp_path):
    path = wind(tmp_path)
    content = path.read_bytes()
    names = [spool.add(value, "x") for value in (path, str(path), content, bytearray(content))]
    assert len(set(names)) == 4
    assert len(spool.contents) == 1
    spool.store(tmp_path / "bench")
    reader = ArtifactReader(tmp_path / "bench", spool.entries)
    stored = [reader.read(name) for name in names]
    assert [type(value) for value in stored] == [type(path), str, bytes, bytearray]
    assert stored[0].read_bytes() == Path(stored[1]).read_bytes() == stored[2] == stored[3] == content


def test_files_are_not_copied_before_they_are_stored(spool, tmp_path):
    path = tmp_path / "large.bin"
    path.touch()
    os.truncate(path, 50 << 20)
    spool.add(path, "large")
    assert list(spool.contents.values()) == [path]


def test_a_file_that_changes_before_it_is_stored(spool, tmp_path):
    spool.add(np.arange(5), "array")
    path = wind(tmp_path)
    spool.add(path, "wind")
    path.write_text("something else\n")
    with pytest.raises(ArtifactError, match="has changed since"):
        spool.store(tmp_path / "bench")
    assert [found for found in (tmp_path / "bench").rglob("*") if found.is_file()] == []


def test_a_failure_takes_only_what_this_save_made(spool, tmp_path):
    spool.add(np.arange(5), "array")
    spool.store(tmp_path / "bench")
    path = wind(tmp_path)
    spool.add(path, "wind")
    path.unlink()
    with pytest.raises(ArtifactError):
        spool.store(tmp_path / "bench")
    assert ArtifactReader(tmp_path / "bench", spool.entries).read("array").tolist() == [0, 1, 2, 3, 4]


def test_a_relative_path_survives_a_change_of_directory(spool, tmp_path, monkeypatch):
    wind(tmp_path)
    monkeypatch.chdir(tmp_path)
    spool.add(Path("wind.csv"), "wind")
    monkeypatch.chdir("/")
    spool.store(tmp_path / "bench")


def test_storing_behind_a_link_is_refused(spool, tmp_path):
    spool.add(b"x", "x")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "artifacts").symlink_to(tmp_path)
    with pytest.raises(UnsafeFile):
        spool.store(tmp_path / "bench")


def directory_of(spool: ArtifactSpool) -> Path:
    return next(iter(spool.contents.values())).parent


def test_its_directory_goes_with_it():
    spool = ArtifactSpool()
    spool.add(b"x", "x")
    directory = directory_of(spool)
    assert directory.is_dir()
    del spool
    gc.collect()
    assert not directory.exists()
    with ArtifactSpool() as other:
        other.add(b"x", "x")
        directory = directory_of(other)
    assert not directory.exists()


def test_a_forked_child_leaves_it_alone():
    with ArtifactSpool() as spool:
        spool.add(b"x", "x")
        child = os.fork()
        if child == 0:
            spool.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert directory_of(spool).is_dir()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_paths_that_are_no_files_are_refused_and_do_not_block(spool, tmp_path, make):
    make(tmp_path / "thing")
    with pytest.raises(ArtifactError, match=r"'controller\.path'.*(no regular file|a directory)"):
        encode({"path": tmp_path / "thing"}, spool, "controller")


def test_a_path_without_a_file(spool, tmp_path):
    with pytest.raises(ArtifactError, match="'wind' cannot be kept: there is no file"):
        encode(tmp_path / "none.csv", spool, "wind")


def test_texts_that_name_files(spool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("wind.csv", "data/wind", "plain"):
        wind(tmp_path, name)
    texts = [
        "wind.csv",
        "data/wind",
        "plain",
        "data",
        "none.csv",
        "",
        "a\0b",
        "x" * 5000 + ".csv",
        "/",
    ]
    encoded = [encode(text, spool, "x") for text in texts[:-2]] + [encode("/", spool, "x")]
    assert ["$artifact" in value if isinstance(value, dict) else value for value in encoded] == [
        True, True, "plain", "data", "none.csv", "", "a\0b", "/",
    ]  # fmt: skip
    spool.store(tmp_path / "bench")
    back = decode(encoded[0], ArtifactReader(tmp_path / "bench", spool.entries))
    assert type(back) is str
    assert Path(back).name == "wind.csv"
    assert Path(back).is_absolute()


def test_a_text_that_names_a_directory_is_refused_as_its_path_is(spool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for named in ("./data", "data/", str(tmp_path / "data"), tmp_path / "data"):
        with pytest.raises(ArtifactError, match="is a directory, which cannot be kept") as caught:
            encode(named, spool, "weather")
        assert caught.value.message.startswith("The argument 'weather' cannot be kept")


def test_a_missing_file_is_told_with_where_it_was_looked_for(spool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=r"no file 'none\.csv'") as caught:
        encode(Path("none.csv"), spool, "weather")
    assert caught.value.hint == f"Relative paths begin at {tmp_path}."


def test_an_artifact_is_hashed_again_only_if_its_file_was_touched(spool, tmp_path):
    source = wind(tmp_path, "wind.csv")
    spool.add(source, "wind")
    spool.store(tmp_path / "bench")
    reader, (entry,) = ArtifactReader(tmp_path / "bench", spool.entries), spool.entries.values()
    stored = reader.read("wind")
    assert reader.read("wind") == stored
    before, content = stored.stat(), stored.read_bytes()
    stored.write_bytes(bytes(len(content)))  # as long, and as old as it was
    os.utime(stored, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(FormatError, match="SHA-256"):
        reader.read("wind")
    with pytest.raises(FormatError, match="SHA-256"), open_verified(entry, tmp_path / "bench"):
        pass


def test_objects_in_arrays_are_refused_with_their_place(spool):
    with pytest.raises(ArtifactError, match=r"'a\.b' cannot be kept: an array of Python objects") as caught:
        encode({"b": np.array([{}, None])}, spool, "a")
    assert "astype" in caught.value.hint
    assert spool.entries == {}
