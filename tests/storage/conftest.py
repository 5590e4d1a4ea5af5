"""Real datasets, written by Minari, and a store that sees them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - pytest evaluates fixture annotations
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry.storage.local import LocalStore

LETTERS = "abcdefghijklmnopqrstuvwxyzäöü日本"

SPACES: dict[str, tuple[spaces.Space, spaces.Space]] = {
    "box": (spaces.Box(-1, 1, (3,), np.float32), spaces.Box(-2, 2, (2,), np.float64)),
    "matrix": (spaces.Box(-5, 5, (2, 3, 4), np.int16), spaces.Box(0, 1, (), np.float32)),
    "discrete": (spaces.Discrete(5), spaces.Discrete(3, start=-1)),
    "multi": (spaces.MultiDiscrete([3, 4]), spaces.MultiBinary(5)),
    "multibinary": (spaces.MultiBinary([2, 3]), spaces.MultiDiscrete([[2, 3], [4, 5]])),
    "dict": (
        spaces.Dict({"position": spaces.Box(-1, 1, (2,), np.float64), "gear": spaces.Discrete(4)}),
        spaces.Dict({"wheel": spaces.Box(-1, 1, (1,), np.float32)}),
    ),
    "tuple": (
        spaces.Tuple((spaces.Box(-1, 1, (2,), np.float32), spaces.Discrete(3))),
        spaces.Tuple((spaces.Discrete(2), spaces.MultiBinary(2))),
    ),
    "text": (spaces.Text(8, charset=LETTERS), spaces.Discrete(2)),
    "nested": (
        spaces.Dict(
            {
                "camera": spaces.Box(0, 255, (40, 36, 3), np.uint8),
                "parts": spaces.Tuple(
                    (
                        spaces.Dict({"said": spaces.Text(6, charset=LETTERS)}),
                        spaces.Box(0, 9, (2,), np.uint16),
                    )
                ),
            }
        ),
        spaces.Box(-1, 1, (2,), np.float32),
    ),
    "image": (spaces.Box(0, 255, (36, 40), np.uint8), spaces.Discrete(4)),
}


def stacked(space: spaces.Space, samples: list[Any]) -> Any:
    """Return samples as Minari's buffers hold them: a list a leaf."""
    if isinstance(space, spaces.Dict):
        return {key: stacked(part, [sample[key] for sample in samples]) for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(stacked(part, [sample[i] for sample in samples]) for i, part in enumerate(space))
    return list(samples)


def make_buffers(
    observation_space: spaces.Space, action_space: spaces.Space, lengths: tuple[int, ...], seed: int = 0
) -> list[Any]:
    """Return episodes of random values, of which every other one is truncated instead of terminated."""
    from minari.data_collector import EpisodeBuffer

    observation_space.seed(seed)
    action_space.seed(seed)
    rng = np.random.default_rng(seed)
    return [
        EpisodeBuffer(
            seed=100 + number if number % 3 else None,
            options={"mass": 1.5 * number, "goal": {"x": number, "name": "ä"}} if number % 2 else None,
            observations=stacked(observation_space, [observation_space.sample() for _ in range(length + 1)]),
            actions=stacked(action_space, [action_space.sample() for _ in range(length)]),
            rewards=list(rng.standard_normal(length)),
            terminations=[False] * (length - 1) + [number % 2 == 0],
            truncations=[False] * (length - 1) + [number % 2 == 1],
            infos={
                "energy": rng.standard_normal(length + 1),
                "deep": {"count": np.arange(length + 1) + number},
            },
        )
        for number, length in enumerate(lengths)
    ]


def leaves_of(tree: Any, path: str) -> dict[str, Any]:
    """Return the leaves of what Minari gives, by path."""
    if isinstance(tree, dict):
        return {k: v for key, part in tree.items() for k, v in leaves_of(part, f"{path}/{key}").items()}
    if isinstance(tree, tuple):
        return {k: v for i, part in enumerate(tree) for k, v in leaves_of(part, f"{path}/_index_{i}").items()}
    return {path: tree}


def assert_same_episode(ours: Any, theirs: Any) -> None:
    """Compare our episode with Minari's EpisodeData, leaf by leaf: values, dtypes and shapes."""
    expected = {
        **leaves_of(theirs.observations, "observations"),
        **leaves_of(theirs.actions, "actions"),
        **leaves_of(theirs.infos or {}, "infos"),
        "rewards": theirs.rewards,
        "terminations": theirs.terminations,
        "truncations": theirs.truncations,
    }
    found = ours.leaves()
    assert set(found) == set(expected)
    for path, values in expected.items():
        if isinstance(values, list):
            assert found[path] == values, path
        elif isinstance(values, np.ndarray) and values.dtype == object:
            assert found[path] == [value.decode() for value in values], path
        else:
            assert found[path].dtype == values.dtype, path
            np.testing.assert_array_equal(found[path], values, err_msg=path, strict=True)
    assert len(ours) == len(theirs.rewards)


@dataclass
class Workshop:
    """A store, and Minari pointed at the same directory."""

    store: LocalStore

    def minari(
        self,
        kind: str = "box",
        dataset_id: str = "zoo/kind-v0",
        *,
        lengths: tuple[int, ...] = (4, 7, 1, 3),
        seed: int = 0,
        **options: Any,
    ) -> Any:
        """Let Minari write a dataset of one kind of spaces."""
        import minari

        observation_space, action_space = SPACES[kind]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return minari.create_dataset_from_buffers(
                dataset_id,
                make_buffers(observation_space, action_space, lengths, seed),
                observation_space=observation_space,
                action_space=action_space,
                description="what the tests need",
                **options,
            )

    def directory(self, dataset_id: str = "zoo/kind-v0") -> Path:
        """Return the data directory of a dataset."""
        return self.store.root / dataset_id / "data"


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a fresh store that Minari sees too."""
    root, cache = tmp_path / "datasets", tmp_path / "cache"
    root.mkdir()
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    monkeypatch.delenv("PYTUPLI_DATASETS_PATH", raising=False)
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(cache))
    return Workshop(LocalStore(root, cache))


@pytest.fixture(params=sorted(SPACES))
def kind(request: pytest.FixtureRequest) -> str:
    """Return each kind of spaces in turn."""
    return str(request.param)


@pytest.fixture
def same_episode() -> Any:
    """Return the comparison of one of our episodes with one of Minari's."""
    return assert_same_episode


@pytest.fixture
def buffers() -> Any:
    """Return the maker of Minari's episode buffers."""
    return lambda kind, lengths, seed=0: make_buffers(*SPACES[kind], lengths, seed)
