"""The episodes of a dataset as one table of columns: what the index holds, whoever keeps it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.filters.source import FieldValues

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pytupli_registry.dataset.episode import Episode

__all__ = ["FIXED_FIELDS", "RECORDED_FIELDS", "EpisodeTable", "reward_fields"]

# Facts that a recorder adds; an episode carries them in its metadata, by these names.
RECORDED_FIELDS = ("recorded_at", "recorded_by", "policy")

FIXED_FIELDS = (
    "episode_id",
    "length",
    "total_return",
    "min_reward",
    "max_reward",
    "mean_reward",
    "terminated",
    "truncated",
)


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeTable:
    """One row an episode.

    Attributes:
        lengths: steps of each episode.  # (N,)
        fields: every episode field by full name: the fixed ones, ``seed``, ``options.<name>``,
            ``metadata.<name>``, ``recorded_at``, ``recorded_by``, ``policy``. May load values when asked.
        row_starts: first row of each episode in the T-row leaves; derived.  # (N,)
        zones: per leaf path, each episode's minimum and maximum of every flat component.
            # two arrays (N, components) each
        checksums: per leaf path, the CRC-32 of each episode's bytes, where they are known.  # (N,) uint32 each
    """

    lengths: NDArray[np.int64]
    fields: Mapping[str, FieldValues]
    zones: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)
    checksums: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)
    row_starts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        starts = np.zeros(len(self.lengths), dtype=np.int64)
        np.cumsum(self.lengths[:-1], out=starts[1:])
        object.__setattr__(self, "row_starts", starts)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def step_count(self) -> int:
        """Steps of all episodes."""
        return int(self.lengths.sum())

    @classmethod
    def from_episodes(cls, episodes: Sequence[Episode]) -> EpisodeTable:
        """Build the table of episodes held in memory."""
        lengths = np.array([len(episode) for episode in episodes], dtype=np.int64)
        rewards = np.concatenate([np.asarray(episode.rewards, dtype=np.float64) for episode in episodes])
        fields = {
            "episode_id": FieldValues(np.array([episode.episode_id for episode in episodes], dtype=np.int64)),
            "length": FieldValues(lengths),
            **reward_fields(rewards, lengths),
            "terminated": FieldValues(np.array([episode.terminated for episode in episodes], dtype=np.bool_)),
            "truncated": FieldValues(np.array([episode.truncated for episode in episodes], dtype=np.bool_)),
            "seed": field_values([episode.seed for episode in episodes]),
        }
        for prefix, rows in (
            ("options", [_dotted(episode.options or {}) for episode in episodes]),
            ("metadata", [episode.metadata for episode in episodes]),
        ):
            for name in sorted({name for row in rows for name in row}):
                recorded = prefix == "metadata" and name in RECORDED_FIELDS
                fields[name if recorded else f"{prefix}.{name}"] = field_values(
                    [row.get(name) for row in rows]
                )
        return cls(lengths, fields)


def _dotted(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested options by dotted names, as they are fields of an episode."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            found.update({f"{name}.{inner}": part for inner, part in _dotted(value).items()})
        else:
            found[name] = value
    return found


def reward_fields(rewards: NDArray[Any], lengths: NDArray[np.int64]) -> dict[str, FieldValues]:
    """Return the fields that follow from the rewards of consecutive episodes.

    Sums are taken in float64, whatever the dtype of the rewards.

    Args:
        rewards: of all steps.  # (lengths.sum(),)
        lengths: steps of each episode, all positive.  # (N,)
    """
    if len(lengths) == 0:
        empty = FieldValues(np.zeros(0, dtype=np.float64))
        return dict.fromkeys(("total_return", "min_reward", "max_reward", "mean_reward"), empty)
    starts = np.zeros(len(lengths), dtype=np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    values = np.asarray(rewards, dtype=np.float64)
    totals = np.add.reduceat(values, starts)
    return {
        "total_return": FieldValues(totals),
        "min_reward": FieldValues(np.minimum.reduceat(values, starts)),
        "max_reward": FieldValues(np.maximum.reduceat(values, starts)),
        "mean_reward": FieldValues(totals / lengths),
    }


def field_values(values: Iterable[Any]) -> FieldValues:
    """Return one field as a typed array: bool, int64, float64, or text for everything else.

    None stands for a missing value. Numbers of several kinds become float64; numbers mixed with text become text.
    """
    given = [value.item() if isinstance(value, np.generic) else value for value in values]
    missing = np.array([value is None for value in given], dtype=np.bool_)
    kinds = {type(value) for value in given if value is not None}
    mask = missing if missing.any() else None
    if kinds == {bool}:
        return FieldValues(np.array([bool(value) for value in given]), mask)
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in given if value is not None):
        return FieldValues(np.array([value or 0 for value in given], dtype=np.int64), mask)
    if kinds and kinds <= {bool, int, float} and not any(_exceeds_float(value) for value in given):
        return FieldValues(np.array([np.nan if v is None else float(v) for v in given]), mask)
    texts = np.empty(len(given), dtype=object)
    texts[:] = [None if value is None else str(value) for value in given]
    return FieldValues(texts, mask)


def _exceeds_float(value: object) -> bool:
    return isinstance(value, int) and abs(value) > sys.float_info.max
