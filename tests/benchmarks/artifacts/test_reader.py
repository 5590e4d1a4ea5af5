"""Artifacts that are named again and again."""

import numpy as np
import pytest

from pytupli_registry.benchmarks.artifacts import reader as reading
from pytupli_registry.benchmarks.artifacts.reader import ArtifactReader
from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
from pytupli_registry.errors import FormatError


def reader_of(value, directory):
    with ArtifactSpool() as spool:
        spool.add(value, "values")
        spool.store(directory)
        return ArtifactReader(directory, spool.entries)


def test_each_reading_is_made_anew(tmp_path):
    reader = reader_of(np.arange(4.0), tmp_path)
    first, second = reader.read("values"), reader.read("values")
    first[0] = 7
    np.testing.assert_array_equal(second, np.arange(4.0))


def test_a_large_one_cannot_fill_the_memory_by_being_named_often(tmp_path):
    """A name in `benchmark.json` takes 20 bytes."""
    with ArtifactSpool() as spool:
        spool.add(np.zeros(reading._MAX_AGAIN // 32), "values")
        spool.store(tmp_path)
        entry = spool.entries["values"]
    reader = ArtifactReader(tmp_path, dict.fromkeys("abcde", entry))
    for name in "abcd":
        reader.read(name)
    with pytest.raises(FormatError, match="'e' is named too often"):
        reader.read("e")


def test_a_small_one_cannot_take_for_ever_by_being_named_often(tmp_path):
    reader = reader_of(b"x", tmp_path)
    for _ in range(reading._MAX_READS):
        reader.read("values")
    with pytest.raises(FormatError, match="named too often"):
        reader.read("values")
