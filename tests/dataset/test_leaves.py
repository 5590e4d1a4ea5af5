from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.dataset.leaves import Leaf, flatten, unflatten

keys = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=6
).filter(lambda key: not key.startswith("_index_"))
trees = st.recursive(
    st.integers(),
    lambda parts: st.one_of(
        st.dictionaries(keys, parts, min_size=1, max_size=4),
        st.lists(parts, min_size=1, max_size=12).map(tuple),
    ),
    max_leaves=20,
)


@given(trees)
def test_unflatten_undoes_flatten(tree):
    leaves = flatten(tree, "observations")
    assert unflatten(leaves, "observations") == tree


@given(trees, trees)
def test_trees_with_a_common_beginning_stay_apart(first, second):
    leaves = {**flatten(first, "info"), **flatten(second, "infos")}
    assert unflatten(leaves, "info") == first
    assert unflatten(leaves, "infos") == second


def test_paths_are_those_of_minaris_file():
    tree = {"camera": 1, "arm": ({"angle": 2}, 3)}
    assert flatten(tree, "observations") == {
        "observations/camera": 1,
        "observations/arm/_index_0/angle": 2,
        "observations/arm/_index_1": 3,
    }


def test_more_than_ten_elements_keep_their_order():
    values = tuple(range(12))
    shuffled = dict(
        sorted(flatten(values, "actions").items())
    )  # as h5py lists them: _index_0, _index_1, _index_10
    assert unflatten(shuffled, "actions") == values


def test_indices_with_a_gap_are_no_tuple():
    leaves = {"infos/x/_index_0": 1, "infos/x/_index_2": 2}
    assert unflatten(leaves, "infos/x") == {"_index_0": 1, "_index_2": 2}


def test_nothing_there_is_none():
    assert unflatten({"infos/energy": 1}, "infos/ener") is None
    assert unflatten({}, "infos") is None


@pytest.mark.parametrize(
    ("leaf", "row_bytes", "is_array"),
    [
        (Leaf("observations", np.dtype("float32"), (3, 2), 1), 24, True),
        (Leaf("actions", np.dtype("int64"), (), 0), 8, True),
        (Leaf("observations", np.dtype("uint8"), (64, 64, 3), 1, "jpeg"), 12288, False),
        (Leaf("observations", None, (), 1, "text"), 0, False),
    ],
)
def test_facts_of_a_leaf(leaf, row_bytes, is_array):
    assert (leaf.row_bytes, leaf.is_array) == (row_bytes, is_array)
