"""What a dataset's ``metadata.json`` says, as far as it is searched and shown. Nothing in it is trusted or built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytupli_registry.server.wire.json_text import JsonTextError, cleaned, read_object
from pytupli_registry.server.wire.spaces import describe_space, space_kind

__all__ = ["Summary", "benchmark_summary", "normalised", "summarize"]

_LARGEST_COUNT = 1 << 53
_LONG = 4000
_SHORT = 255
_MOST = 100
_ENV_SPEC = 1 << 18
# Minari 0.5.4 accepts these; it hides datasets of other versions from its listings.
_SUPPORTED = frozenset(
    f"0.{minor}.{patch}" for minor, patches in ((4, 4), (5, 5)) for patch in range(patches)
)
_TEXTS = (
    "author",
    "author_email",
    "algorithm_name",
    "code_permalink",
    "docs_url",
    "requirements",
    "combined_datasets",
)
_SCORES = ("ref_min_score", "ref_max_score", "num_episodes_average_score")


@dataclass(frozen=True, slots=True)
class Summary:
    """A dataset in short.

    Attributes:
        dataset_id: Minari's id as the file says, or "".
        environment_id: Gymnasium's id of the environment, or None.
        data_format: ``hdf5``, ``arrow`` or ``parquet``.
        minari_version: as the file says.
        observation_space: as ``describe_space`` gives it.
        action_space: likewise.
        total_episodes: number of episodes.
        total_steps: number of steps over all episodes.
        size: bytes, as Minari counted them, or None.
        further: what is shown and not searched.
        warnings: what is wrong with the file.
    """

    dataset_id: str = ""
    environment_id: str | None = None
    data_format: str | None = None
    minari_version: str | None = None
    observation_space: dict[str, Any] | None = None
    action_space: dict[str, Any] | None = None
    total_episodes: int | None = None
    total_steps: int | None = None
    size: int | None = None
    further: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def observation_kind(self) -> str | None:
        """Type of the observation space."""
        return space_kind(self.observation_space)

    @property
    def action_kind(self) -> str | None:
        """Type of the action space."""
        return space_kind(self.action_space)


def summarize(content: bytes) -> Summary:
    """Return what a ``metadata.json`` says; never raises."""
    try:
        metadata = read_object(content)
    except JsonTextError as error:
        return Summary(warnings=(f"metadata.json: {error}",))
    spaces = {name: describe_space(metadata.get(name)) for name in ("observation_space", "action_space")}
    version = cleaned(metadata.get("minari_version"), 64)
    size = _number(metadata.get("dataset_size"))
    return Summary(
        dataset_id=cleaned(metadata.get("dataset_id"), 512) or "",
        environment_id=_environment_id(metadata.get("env_spec")),
        data_format=cleaned(metadata.get("data_format", "hdf5"), 32),
        minari_version=version,
        observation_space=spaces["observation_space"],
        action_space=spaces["action_space"],
        total_episodes=_count(metadata.get("total_episodes")),
        total_steps=_count(metadata.get("total_steps")),
        size=None if size is None or size < 0 else int(size * 1_000_000),
        further=_further(metadata),
        warnings=tuple(_warnings(metadata, spaces, version)),
    )


def _warnings(metadata: Mapping[str, Any], spaces: Mapping[str, Any], version: str | None) -> list[str]:
    found = [
        f"{name} is missing or cannot be read"
        + ("; Minari would build the environment to find it out" if name not in metadata else "")
        for name, space in spaces.items()
        if space is None
    ]
    if version is not None and version not in _SUPPORTED:
        found.append(f"Minari 0.5.4 does not show datasets of the version {version!r}")
    return found


def _environment_id(spec: object) -> str | None:
    """Return the id in an ``EnvSpec``'s JSON, which is read as data and never built."""
    if not isinstance(spec, str) or len(spec) > _ENV_SPEC:
        return None
    try:
        loaded = json.loads(spec)
    except (ValueError, RecursionError):
        return None
    return cleaned(loaded.get("id"), _SHORT) if isinstance(loaded, dict) else None


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None or number < 0 else int(number)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_LARGEST_COUNT < value < _LARGEST_COUNT else None


def _further(metadata: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: _texts(metadata[name]) for name in _TEXTS if metadata.get(name)}
    found |= {name: number for name in _SCORES if (number := _number(metadata.get(name))) is not None}
    found["quality"] = _numbers(metadata.get("quality"))
    description = cleaned(metadata.get("description"), _LONG)
    if description:
        found["description"] = description
    if isinstance(metadata.get("jpeg_encoding"), bool):
        found["jpeg_encoding"] = metadata["jpeg_encoding"]
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _numbers(value: object) -> dict[str, float]:
    """Return the numbers of an object by name, nothing if it is none."""
    named = list(value.items())[:_MOST] if isinstance(value, dict) else []
    return {
        name: number
        for key, inner in named
        if (name := cleaned(key, _SHORT)) and (number := _number(inner)) is not None
    }


def _texts(value: object) -> str | list[str] | None:
    if isinstance(value, list):
        return [text for one in value[:_MOST] if (text := cleaned(one, _SHORT))]
    return cleaned(value, _SHORT)


def benchmark_summary(content: bytes) -> dict[str, Any]:
    """Return what a ``benchmark.json`` says of itself; empty if it is none of ours. Never raises."""
    try:
        benchmark = read_object(content)
    except JsonTextError:
        return {}
    if benchmark.get("format") != "pytupli-benchmark":
        return {}
    environment = benchmark.get("environment")
    texts = {
        name: cleaned(benchmark.get(name), _SHORT)
        for name in ("name", "title", "difficulty", "version", "licence")
    }
    texts["description"] = cleaned(benchmark.get("description"), _LONG)
    if isinstance(environment, dict):
        texts["environment_id"] = cleaned(environment.get("id"), _SHORT)
    tags = benchmark.get("tags")
    scores = benchmark.get("reference_scores")
    means = (
        {name: said.get("mean") for name, said in scores.items() if isinstance(said, dict)}
        if isinstance(scores, dict)
        else None
    )
    found: dict[str, Any] = {name: text for name, text in texts.items() if text}
    found |= {"tags": _texts(tags)} if isinstance(tags, list) and tags else {}
    return found | ({"reference_scores": numbers} if (numbers := _numbers(means)) else {})


def normalised(value: float | None, random: float | None, expert: float | None) -> float | None:
    """Return a mean return on the scale from the random policy (0) to the expert (100); None where it has none."""
    if value is None or random is None or expert is None or random == expert:
        return None
    score = 100 * (value - random) / (expert - random)
    return score if -_LARGEST_COUNT < score < _LARGEST_COUNT else None
