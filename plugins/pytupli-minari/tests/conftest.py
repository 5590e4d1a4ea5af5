"""Datasets written by stock Minari, of every kind of space, and the same directories opened by us."""

from __future__ import annotations

import warnings
from pathlib import Path

import minari
import numpy as np
import pytest
from gymnasium import spaces
from minari.data_collector.episode_buffer import EpisodeBuffer

from pytupli_minari import to_minari
from pytupli_registry.storage.local import LocalStore, open_directory

LENGTHS = (3, 5, 2, 4)


def _rows(space, count, rng):
    """``count`` values of a space as Minari's buffers hold them."""
    if isinstance(space, spaces.Dict):
        return {key: _rows(part, count, rng) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_rows(part, count, rng) for part in space.spaces)
    space.seed(int(rng.integers(1 << 30)))
    values = [space.sample() for _ in range(count)]
    return values if isinstance(space, spaces.Text) else np.array(values)


def _infos(kind, count):
    numbers = np.arange(count)
    return {
        "none": None,
        "nested": {
            "energy": numbers * 0.5,
            "arm": {"joints": np.ones((count, 2, 3), np.float32), "n": numbers},
        },
        "texts": {
            "note": [f"step {number}" for number in numbers],
            "ünïcode": ["ä" * number for number in numbers],
        },
    }[kind]


def _buffers(observation_space, action_space, infos):
    rng = np.random.default_rng(7)
    for number, length in enumerate(LENGTHS):
        last = np.arange(length) == length - 1
        terminated = number % 2 == 0
        yield EpisodeBuffer(
            seed=None if number == 1 else 100 + number,
            options={"mass": 1.5 + number, "wind": {"speed": number}} if number else None,
            observations=_rows(observation_space, length + 1, rng),
            actions=_rows(action_space, length, rng),
            rewards=rng.normal(size=length).astype(np.float64) + number,
            terminations=last & terminated,
            truncations=last & (not terminated),
            infos=_infos(infos, length + 1),
        )


BOX = spaces.Box(-10, 10, (3,), np.float32)
IMAGE = spaces.Box(0, 255, (40, 36, 3), np.uint8)
KINDS = {
    "box": {},
    "box-float64-matrix": {"observation_space": spaces.Box(-1, 1, (2, 3), np.float64), "action_space": BOX},
    "box-scalar": {"observation_space": spaces.Box(-1, 1, (), np.float32)},
    "integers": {
        "observation_space": spaces.Box(-9, 9, (2,), np.int16),
        "action_space": spaces.MultiDiscrete([3, 4]),
    },
    "discrete": {"observation_space": spaces.Discrete(6, start=-2), "action_space": spaces.MultiBinary(3)},
    "text": {"observation_space": spaces.Text(8, charset="abé")},
    "nested": {
        "observation_space": spaces.Dict(
            z=spaces.Discrete(3),
            arm=spaces.Tuple((BOX, spaces.Dict(word=spaces.Text(4), bits=spaces.MultiBinary([2, 2])))),
        ),
        "action_space": spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (2,), np.float64))),
        "infos": "nested",
    },
    "long-tuple": {"observation_space": spaces.Tuple([spaces.Discrete(40, start=20 * n) for n in range(12)])},
    "infos-nested": {"infos": "nested"},
    "infos-texts": {"infos": "texts"},
    "jpeg": {"observation_space": spaces.Dict(camera=IMAGE, speed=BOX), "jpeg_encoding": True},
    "image": {"observation_space": IMAGE},
}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """An empty store of datasets, Minari's and ours."""
    root = tmp_path / "datasets"
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTUPLI_DATASETS_PATH", raising=False)
    return root


@pytest.fixture
def write(store):
    """Write a dataset with stock Minari."""

    def with_minari(
        dataset_id="robots/walk-v0",
        observation_space=BOX,
        action_space=spaces.Discrete(9),  # noqa: B008 - never changed
        infos="none",
        **options,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Minari misses env_spec
            return minari.create_dataset_from_buffers(
                dataset_id,
                list(_buffers(observation_space, action_space, infos)),
                observation_space=observation_space,
                action_space=action_space,
                author={"A", "B"},
                author_email="a@example.org",
                code_permalink="https://example.org",
                algorithm_name="random",
                description="for tests",
                eval_env=options.pop("eval_env", "CartPole-v1"),
                **{"jpeg_encoding": False, **options},
            )

    return with_minari


@pytest.fixture
def pair(write):
    """Write a dataset with stock Minari; return it, and ours over the same directory."""

    def stock_and_ours(kind="box", episodes=None, steps=None):
        stock = write(**KINDS[kind])
        stored = open_directory(Path(stock.spec.data_path))
        return stock, to_minari(stored.where(episodes, steps))

    return stock_and_ours


@pytest.fixture
def in_columns(tmp_path):
    """Copy a dataset of stock Minari into our layout, where columns are memory-mapped."""

    def adopted(stock):
        store = LocalStore(tmp_path / "ours", tmp_path / "cache")
        return to_minari(store.adopt(Path(stock.spec.data_path)))

    return adopted


@pytest.fixture(params=KINDS)
def pair_of_any_kind(request, pair):
    return pair(request.param)


def _assert_same(found, expected, place=""):
    assert type(found) is type(expected), place
    if isinstance(expected, dict):
        assert set(found) == set(expected), place
        for key in expected:
            _assert_same(found[key], expected[key], f"{place}/{key}")
    elif isinstance(expected, tuple):
        assert len(found) == len(expected), place
        for number, part in enumerate(expected):
            _assert_same(found[number], part, f"{place}/{number}")
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), place
        np.testing.assert_array_equal(found, expected, err_msg=place)
    else:
        assert found == expected, place


@pytest.fixture
def assert_same_episode():
    """Compare two of Minari's episodes field by field, with types and dtypes."""

    def compare(found, expected, *, ids=True):
        for name in ("observations", "actions", "rewards", "terminations", "truncations"):
            _assert_same(getattr(found, name), getattr(expected, name), name)
        _assert_same(found.infos or {}, expected.infos or {}, "infos")
        assert len(found) == len(expected)
        if ids:
            assert found.id == expected.id

    return compare
