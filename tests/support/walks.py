"""Small datasets whose numbers say where they come from, and repositories that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from pytupli_registry.dataset.episode import Episode
from pytupli_registry.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest
    from huggingface_hub import HfApi

    from tests.server.support.live import LiveHub

__all__ = ["SPACES", "at_home", "commit_files", "walk", "write_walks"]

SPACES: dict[str, Any] = {
    "observation_space": {"type": "Box", "dtype": "float32", "shape": [2], "low": [0.0, 0.0], "high": [1e6, 1e6]},
    "action_space": {"type": "Discrete", "dtype": "int64", "start": 0, "n": 1000},
}  # fmt: skip


def walk(number: int, length: int = 4, *, month: str = "July", **changes: Any) -> Episode:
    """An episode whose every value follows from its number."""
    rows = 100 * number + np.arange(length + 1)
    last = np.arange(length) == length - 1
    values: dict[str, Any] = {
        "observations": np.stack([rows, rows + 0.5], axis=1).astype(np.float32),
        "actions": rows[:length].astype(np.int64) % 1000,
        "rewards": rows[:length] / 10.0,
        "terminations": last,
        "truncations": np.zeros(length, dtype=bool),
        "infos": {},
        "episode_id": 0,
        "seed": 1000 + number,
        "metadata": {"month": month},
    }
    return Episode(**{**values, **changes})


def write_walks(
    root: Path, dataset_id: str, episodes: Iterable[Episode], *, environment: str = "Walk-v0", **extra: Any
) -> Path:
    """Write a dataset into a store below ``root``, and return its folder."""
    store = LocalStore(root / "datasets", root / "cache")
    spec = EnvSpec(id=environment, entry_point="nowhere:Walk").to_json()
    with store.writer(dataset_id, **SPACES, env_spec=spec, extra=extra) as writer:
        for episode in episodes:
            writer.add(episode)
    return root / "datasets" / dataset_id


def commit_files(api: HfApi, repo: str, folder: Path, *, private: bool = True, **more: bytes) -> str:
    """Commit what lies below a folder, and files by path, to a repository, and return the commit."""
    from huggingface_hub import CommitOperationAdd

    api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    files: dict[str, str | bytes] = {
        **{path.relative_to(folder).as_posix(): str(path) for path in found},
        **more,
    }
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    return str(api.create_commit(repo, operations, commit_message="data", repo_type="dataset").oid)


def at_home(monkeypatch: pytest.MonkeyPatch, home: Path, hub: LiveHub, user: str | None) -> None:
    """Sit at a machine of one's own, logged in to a Hub as a user, or as nobody."""
    from huggingface_hub import constants

    for name in ("datasets", "cache", "config"):
        monkeypatch.setenv(f"PYTUPLI_{name.upper()}_PATH", str(home / name))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hf"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    if user is None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    else:
        monkeypatch.setenv("HF_TOKEN", hub.person(user).token)
