from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from pytupli_registry import Dataset, Episode
from pytupli_registry.adapters import to_d4rl, to_numpy, to_pandas, to_torch
from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.table import EpisodeTable
from pytupli_registry.errors import AdapterError

LENGTHS = (3, 5, 1, 4)


def episode(number: int, length: int, **changes) -> Episode:
    rows = 100 * number + np.arange(length + 1)
    last = np.arange(length) == length - 1
    return replace(
        Episode(
            observations=(rows[:, None] + [0.25, 0.5]).astype(np.float64),
            actions=(rows[:length, None] * 2).astype(np.float32),
            rewards=rows[:length] * 0.1,
            terminations=last & (number % 2 == 0),
            truncations=last & (number == 1),  # episode 3 just ends
            episode_id=10 + number,
        ),
        **changes,
    )


def over(episodes) -> Dataset:
    metadata = DatasetMetadata("tests/walk-v0", len(episodes), sum(map(len, episodes)), {}, {})
    return Dataset.over(metadata, EpisodeTable.from_episodes(episodes), ArrayColumns(episodes), "memory")


EPISODES = [episode(number, length) for number, length in enumerate(LENGTHS)]
NESTED = [
    episode(
        number,
        length,
        observations={
            "place": (np.arange(length + 1), np.arange(2 * length + 2).reshape(-1, 2) + 0.5),
            "word": [f"{number}-{row}" for row in range(length + 1)],
        },
        actions=(np.arange(length), np.ones((length, 2, 2)) * number),
    )
    for number, length in enumerate(LENGTHS)
]
FILTERS = [
    {},
    {"episodes": "length > 3"},
    {"steps": "reward > 0.15"},
    {"steps": "step != 1"},
    {"episodes": "length >= 3", "steps": "step % 2 == 0"},
    {"episodes": "length > 99"},
]


@pytest.fixture(params=FILTERS, ids=str)
def filtered(request) -> Dataset:
    return over(EPISODES).where(**request.param)


def kept(dataset: Dataset):
    """Yield (episode, step) of the kept transitions, by a loop over whole episodes and the mask."""
    mask = dataset.step_mask
    place = 0
    for found in dataset.episodes():
        for step in range(len(found)):
            if mask is None or mask[place]:
                yield found, step
            place += 1


def stacked(dataset: Dataset, value):
    return np.array([value(found, step) for found, step in kept(dataset)])


def test_the_filters_here_keep_different_things():
    counts = [over(EPISODES).where(**chosen).transition_count for chosen in FILTERS]
    assert counts == [13, 9, 11, 10, 7, 0]


def test_numpy(filtered):
    found = to_numpy(filtered)
    expected = {
        "observations": lambda e, t: e.observations[t],
        "actions": lambda e, t: e.actions[t],
        "rewards": lambda e, t: e.rewards[t],
        "next_observations": lambda e, t: e.observations[t + 1],
        "terminations": lambda e, t: e.terminations[t],
        "truncations": lambda e, t: e.truncations[t],
        "episode_ids": lambda e, t: e.episode_id,
        "steps": lambda e, t: t,
    }
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], stacked(filtered, value).reshape(found[name].shape))
        assert len(found[name]) == filtered.transition_count
    assert (found["observations"].dtype, found["actions"].dtype) == (np.float64, np.float32)


def test_numpy_keeps_the_structure():
    dataset = over(NESTED).where(steps="step != 1")
    found = to_numpy(dataset)
    np.testing.assert_array_equal(
        found["observations"]["place"][1], stacked(dataset, lambda e, t: e.observations["place"][1][t])
    )
    words = stacked(dataset, lambda e, t: e.observations["word"][t + 1])
    assert found["next_observations"]["word"].tolist() == words.tolist()
    np.testing.assert_array_equal(found["actions"][1], stacked(dataset, lambda e, t: e.actions[1][t]))


def test_d4rl(filtered):
    found = to_d4rl(filtered)
    assert list(found) == ["observations", "actions", "next_observations", "rewards", "terminals", "timeouts"]
    for name, value in {
        "observations": lambda e, t: e.observations[t],
        "actions": lambda e, t: e.actions[t],
        "next_observations": lambda e, t: e.observations[t + 1],
        "rewards": lambda e, t: e.rewards[t],
        "terminals": lambda e, t: e.terminations[t],
    }.items():
        expected = stacked(filtered, value).reshape(found[name].shape)
        np.testing.assert_array_equal(found[name], expected.astype(found[name].dtype))
        assert found[name].dtype == (np.bool_ if name == "terminals" else np.float32)


def test_d4rl_rows_go_on_unless_they_end(filtered):
    found = to_d4rl(filtered)
    places = [(e.episode_id, t) for e, t in kept(filtered)]
    for row, (episode_id, step) in enumerate(places):
        goes_on = places[row + 1 : row + 2] == [(episode_id, step + 1)]
        assert bool(found["terminals"][row] | found["timeouts"][row]) == (not goes_on)
        assert not (found["terminals"][row] and found["timeouts"][row])
        if goes_on:
            np.testing.assert_array_equal(found["next_observations"][row], found["observations"][row + 1])


def test_d4rl_keeps_integers_and_takes_another_dtype():
    discrete = over([episode(0, 3, actions=np.array([2, 0, 1])), episode(1, 2, actions=np.array([1, 1]))])
    assert to_d4rl(discrete)["actions"].tolist() == [2, 0, 1, 1, 1]
    assert to_d4rl(discrete)["actions"].dtype == np.int64
    assert to_d4rl(discrete, dtype=np.float64)["rewards"].dtype == np.float64


@pytest.mark.parametrize(
    ("episodes", "message"),
    [(NESTED, "observations; .* are nested"), ([episode(0, 1, observations=["a", "b"])], "are texts")],
)
def test_d4rl_has_no_place_for_structure(episodes, message):
    with pytest.raises(AdapterError, match=message):
        to_d4rl(over(episodes))


def test_pandas(filtered):
    frame = to_pandas(filtered)
    assert list(frame.columns) == [
        "episode_id", "step", "observation_0", "observation_1", "action_0", "reward", "terminated", "truncated",
    ]  # fmt: skip
    assert len(frame) == filtered.transition_count
    for row, (found, step) in zip(frame.itertuples(), kept(filtered), strict=True):
        assert (row.episode_id, row.step, row.reward) == (found.episode_id, step, found.rewards[step])
        assert [row.observation_0, row.observation_1] == found.observations[step].tolist()
        assert row.action_0 == found.actions[step, 0]
        assert (row.terminated, row.truncated) == (found.terminations[step], found.truncations[step])


def test_pandas_names_and_dtypes_of_nested_values():
    frame = to_pandas(over(NESTED), next_observations=True)
    assert list(frame.columns)[2:9] == [
        "observation/place/_index_0",
        "observation/place/_index_1_0",
        "observation/place/_index_1_1",
        "observation/word",
        "action/_index_0",
        "action/_index_1_0_0",
        "action/_index_1_0_1",
    ]
    assert frame["action/_index_1_1_0"].dtype == np.float64
    assert frame["next_observation/word"].tolist()[:4] == ["0-1", "0-2", "0-3", "1-1"]
    assert frame.groupby("episode_id")["reward"].sum().tolist() == pytest.approx(
        [found.total_return for found in NESTED]
    )


def test_pandas_refuses_images():
    images = over([episode(0, 1, observations=np.zeros((2, 84, 84, 4), np.uint8))])
    with pytest.raises(AdapterError, match="28225 components"):
        to_pandas(images)


def test_torch(filtered):
    transitions = to_torch(filtered)
    assert isinstance(transitions, torch.utils.data.Dataset)
    places = list(kept(filtered))
    assert len(transitions) == len(places)
    for index, (found, step) in enumerate(places):
        row = transitions[index]
        assert row["observations"].tolist() == found.observations[step].tolist()
        assert row["next_observations"].tolist() == found.observations[step + 1].tolist()
        assert row["actions"].tolist() == found.actions[step].tolist()
        assert row["rewards"].item() == found.rewards[step]
        assert row["terminations"].item() == found.terminations[step]
        assert row["truncations"].item() == found.truncations[step]
        assert (row["observations"].dtype, row["actions"].dtype) == (torch.float64, torch.float32)


def same(found, expected) -> bool:
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, tuple | list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return torch.equal(found, expected) if isinstance(expected, torch.Tensor) else found == expected


@pytest.mark.parametrize("indices", [[3], [5, 0, 12, 5], [-1, 2], []])
def test_torch_gathers_batches(indices):
    transitions = to_torch(over(NESTED))
    batch = transitions[np.array(indices, dtype=np.int64)]
    rows = transitions.__getitems__(indices)
    assert len(rows) == len(batch["rewards"]) == len(indices)
    for place, index in enumerate(indices):
        assert same(rows[place], transitions[index])
        assert torch.equal(batch["observations"]["place"][1][place], rows[place]["observations"]["place"][1])
        assert batch["next_observations"]["word"][place] == rows[place]["next_observations"]["word"]


@pytest.mark.parametrize("index", [13, -14, [0, 13]])
def test_torch_knows_its_bounds(index):
    with pytest.raises(IndexError, match="13 transitions"):
        to_torch(over(EPISODES))[index]


def test_torch_casts_floats_only():
    dataset = over([episode(0, 3, actions=np.array([2, 0, 1]))])
    batch = to_torch(dataset, dtype=torch.float16)[[0, 1, 2]]
    assert {name: values.dtype for name, values in batch.items()} == {
        "observations": torch.float16,
        "actions": torch.int64,
        "rewards": torch.float16,
        "next_observations": torch.float16,
        "terminations": torch.bool,
        "truncations": torch.bool,
    }


def test_torch_tensors_are_copies():
    dataset = over(EPISODES)
    batch = to_torch(dataset)[[0, 1]]
    batch["observations"].zero_()
    batch["rewards"].zero_()
    np.testing.assert_array_equal(dataset[0].observations, EPISODES[0].observations)


def test_torch_loaders_give_the_same_batches_either_way():
    transitions = to_torch(over(EPISODES).where(steps="step != 1"))
    one_by_one = torch.utils.data.DataLoader(transitions, batch_size=4)
    sampler = torch.utils.data.BatchSampler(
        torch.utils.data.SequentialSampler(transitions), 4, drop_last=False
    )
    at_once = torch.utils.data.DataLoader(transitions, sampler=sampler, batch_size=None)
    batches = list(at_once)
    assert [len(batch["rewards"]) for batch in batches] == [4, 4, 2]
    for found, expected in zip(one_by_one, batches, strict=True):
        assert same(found, expected)


def test_torch_survives_pickling():
    transitions = to_torch(over(NESTED).where(steps="step != 1"), dtype=torch.float32)
    back = pickle.loads(pickle.dumps(transitions))
    assert isinstance(back, torch.utils.data.Dataset)
    assert len(back) == len(transitions)
    assert same(back[[0, 4]], transitions[[0, 4]])


@pytest.mark.slow
def test_torch_workers_read_the_same():
    transitions = to_torch(over(EPISODES))
    loader = torch.utils.data.DataLoader(
        transitions, batch_size=5, num_workers=2, multiprocessing_context="spawn"
    )
    for found, expected in zip(loader, torch.utils.data.DataLoader(transitions, batch_size=5), strict=True):
        assert same(found, expected)


@pytest.mark.parametrize("library", ["torch", "pandas"])
def test_a_library_that_is_missing_is_named(library):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"  # Python's own way to make an import fail
        "import numpy as np\n"
        "from pytupli_registry import Dataset, Episode, PytupliError\n"
        "from pytupli_registry.dataset.conversion import find_adapter\n"
        f"try:\n    find_adapter({library!r})(None)\n"
        "except PytupliError as error:\n    print(type(error).__name__, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"AdapterError pip install 'pytupli-registry[{library}]'\n"


def test_the_adapters_import_no_library_by_themselves():
    code = (
        "import pytupli_registry.adapters, sys; print(sorted({'torch', 'pandas', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize(("adapter", "size"), [("numpy", 8), ("d4rl", 6), ("pandas", 5), ("torch", 5)])
def test_adapters_are_found_by_name(adapter, size):
    assert len(over(EPISODES).where("length == 5").to(adapter)) == size
