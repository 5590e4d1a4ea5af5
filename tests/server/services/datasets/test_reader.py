"""Indexes of episodes from strangers: whatever they hold, the server lives and goes on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytupli_registry.server.services.datasets.reader import EpisodeReader

if TYPE_CHECKING:
    from pathlib import Path

DAMAGED = {"problem": "it is damaged, or too large to be read"}


@pytest.fixture
def index(walker, tmp_path) -> Path:
    path = tmp_path / "episodes.parquet"
    path.write_bytes(walker["random-v0/data/episodes.parquet"])
    return path


def read(*paths: Path, budget_s: float = 60, **arguments: float) -> list[dict[str, object]]:
    return EpisodeReader(**arguments).read(list(paths), budget_s=budget_s)


def test_what_an_index_says(index):
    [said] = read(index)
    table = pq.read_table(index)
    returns, lengths = table["total_return"].to_numpy(), table["length"].to_numpy()
    assert said["episodes"] == len(lengths)
    assert said["steps"] == lengths.sum()
    assert said["returns"] == pytest.approx(
        {"min": returns.min(), "mean": returns.mean(), "max": returns.max(), "std": returns.std()}
    )
    assert (said["terminated"], said["truncated"]) == (1.0, 0.0)


@pytest.mark.slow
def test_every_byte_of_the_footer_may_be_wrong(index, tmp_path):
    raw = index.read_bytes()
    footer = int.from_bytes(raw[-8:-4], "little")
    corpus = []
    for position in range(len(raw) - 8 - footer, len(raw)):
        damaged = bytearray(raw)
        damaged[position] ^= 0xFF
        corpus.append(tmp_path / f"{position}.parquet")
        corpus[-1].write_bytes(damaged)
    answers = read(*corpus, index, budget_s=300)
    assert len(answers) == len(corpus) + 1
    assert all(("problem" in answer) != ("episodes" in answer) for answer in answers)
    assert sum("problem" in answer for answer in answers) > len(corpus) // 2
    assert "episodes" in answers[-1]


@pytest.mark.parametrize("size", [0, 1, 8, 100, 5000])
def test_files_may_be_cut(index, tmp_path, size):
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(index.read_bytes()[:size])
    first, second = read(cut, index)
    assert "problem" in first
    assert "episodes" in second


def test_other_parquet_is_no_index(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"length": [1, 2]}), path)
    assert read(path) == [{"problem": "it is a Parquet file but no index of episodes"}]


def test_returns_that_are_no_numbers_are_left_out(index, tmp_path):
    table = pq.read_table(index)
    for bad in (np.nan, np.inf, 1e308):
        column = pa.array(np.full(len(table), bad))
        position = table.schema.get_field_index("total_return")
        path = tmp_path / "odd.parquet"
        pq.write_table(table.set_column(position, "total_return", column), path)
        [said] = read(path)
        assert said["returns"] is None
        assert said["episodes"] == len(table)


def test_a_file_that_promises_more_than_memory(index, tmp_path):
    footer = 3 << 29
    path = tmp_path / "sparse.parquet"
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.truncate(4 + footer)
        file.seek(0, os.SEEK_END)
        file.write(footer.to_bytes(4, "little") + b"PAR1")
    first, second = read(path, index)
    assert "problem" in first
    assert "episodes" in second


def test_what_takes_too_long_is_given_up(index, tmp_path):
    pipe = tmp_path / "never.parquet"
    os.mkfifo(pipe)  # opening it waits for a writer who does not come
    began = time.monotonic()
    assert read(pipe, index, file_s=0.5)[0] == DAMAGED
    assert time.monotonic() - began < 30


def test_no_time_means_no_answers(index):
    assert read(index, budget_s=0) == []
    assert read(budget_s=10) == []


def test_only_a_few_children_run_at_the_same_time(index):
    reader = EpisodeReader(at_once=1)
    with reader._slots:
        assert reader.read([index], budget_s=0.1) == []
    assert len(reader.read([index], budget_s=60)) == 1


def test_children_know_no_secrets(index, monkeypatch, tmp_path):
    spy = tmp_path / "spy"
    spy.mkdir()
    (spy / "sitecustomize.py").write_text(
        f"import os, pathlib; pathlib.Path({str(tmp_path / 'seen')!r}).write_text(repr(dict(os.environ)))"
    )
    monkeypatch.setenv("PYTHONPATH", str(spy))
    monkeypatch.setenv("PYTUPLI_SERVER_SECRET", "do not tell")
    assert "episodes" in read(index)[0]
    assert "do not tell" not in (tmp_path / "seen").read_text()
