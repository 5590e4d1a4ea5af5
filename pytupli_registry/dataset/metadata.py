"""``metadata.json``: what Minari says about a dataset, checked before anything else reads it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MINARI_VERSION", "DatasetMetadata"]

# Minari compares this against an explicit list; every release since 0.5.0 accepts it.
MINARI_VERSION = "0.5.0"

_ID = re.compile(r"(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+-v[0-9]+")
_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DatasetMetadata:
    """Facts about a dataset as Minari keeps them.

    Attributes:
        dataset_id: Minari's id, ``namespace/name-vN``.
        total_episodes: number of episodes.
        total_steps: number of steps over all episodes.
        observation_space: the space as Minari's JSON object (``{"type": "Box", …}``).
        action_space: likewise.
        env_spec: the environment as Gymnasium's ``EnvSpec`` JSON text, never built while loading; or None.
        data_format: ``hdf5``.
        jpeg_encoding: whether image spaces were written as lossy JPEG.
        minari_version: the format version in Minari's terms.
        extra: every other key, kept as it is (author, description, code_permalink, ref_min_score, …).
    """

    dataset_id: str
    total_episodes: int
    total_steps: int
    observation_space: Mapping[str, Any]
    action_space: Mapping[str, Any]
    env_spec: str | None = None
    data_format: Literal["hdf5"] = "hdf5"
    jpeg_encoding: bool = False
    minari_version: str = MINARI_VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str | bytes, *, path: str = "metadata.json") -> DatasetMetadata:
        """Read ``metadata.json``.

        Args:
            text: the file's content.
            path: the file's name, for messages.

        Raises:
            FormatError: it is no JSON object, or a key is missing or of the wrong type.
        """
        if len(text) > _MAX_BYTES:
            raise FormatError(path, f"it is larger than {_MAX_BYTES} bytes")
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FormatError(path, f"it is not JSON ({error})") from error
        if not isinstance(loaded, dict):
            raise FormatError(path, "it is not a JSON object")
        return _from_object(loaded, path)

    def to_json(self) -> str:
        """Return ``metadata.json`` as Minari writes it: spaces are JSON text inside the JSON."""
        content: dict[str, Any] = {
            "total_episodes": self.total_episodes,
            "total_steps": self.total_steps,
            "data_format": self.data_format,
            "jpeg_encoding": self.jpeg_encoding,
            "observation_space": json.dumps(self.observation_space),
            "action_space": json.dumps(self.action_space),
        }
        if self.env_spec is not None:
            content["env_spec"] = self.env_spec
        content.update(dataset_id=self.dataset_id, minari_version=self.minari_version, **self.extra)
        return json.dumps(content)

    @property
    def environment_id(self) -> str | None:
        """Gymnasium's id of the environment, read from ``env_spec`` as data; None where there is none."""
        try:
            spec = json.loads(self.env_spec) if self.env_spec else None
        except (ValueError, RecursionError):
            return None
        found = spec.get("id") if isinstance(spec, dict) else None
        return found if isinstance(found, str) else None

    def with_counts(self, episodes: int, steps: int) -> DatasetMetadata:
        """Return the metadata of the same dataset with other numbers of episodes and steps."""
        return replace(self, total_episodes=episodes, total_steps=steps)


def _from_object(loaded: dict[str, Any], path: str) -> DatasetMetadata:
    def take(key: str, kind: type, default: Any = None) -> Any:  # noqa: ANN401 - what JSON may hold
        value = loaded.pop(key, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise FormatError(path, f"{key!r} must be a {kind.__name__}, not {value!r:.80}", where=key)
        return value

    dataset_id = take("dataset_id", str)
    if not _ID.fullmatch(dataset_id):
        raise FormatError(path, f"{dataset_id!r:.120} is no dataset id", where="dataset_id")
    data_format = take("data_format", str, "hdf5")
    if data_format != "hdf5":
        raise FormatError(
            path, f"the format {data_format!r} cannot be read", where="data_format", hint="Only 'hdf5' can."
        )
    totals = take("total_episodes", int), take("total_steps", int)
    if min(totals) < 0:
        raise FormatError(path, "a number of episodes or steps is negative")
    return DatasetMetadata(
        dataset_id=dataset_id,
        total_episodes=totals[0],
        total_steps=totals[1],
        observation_space=_space(loaded.pop("observation_space", None), "observation_space", path),
        action_space=_space(loaded.pop("action_space", None), "action_space", path),
        env_spec=take("env_spec", str)
        if loaded.get("env_spec") is not None
        else loaded.pop("env_spec", None),
        # Minari's reader takes a file without the key for a lossy one, and so do we.
        jpeg_encoding=take("jpeg_encoding", bool, default=True),
        minari_version=take("minari_version", str),
        extra=loaded,
    )


def _space(value: object, key: str, path: str) -> Mapping[str, Any]:
    if value is None:
        raise FormatError(
            path,
            f"{key!r} is missing",
            where=key,
            hint="Minari would build the environment to find it out; add the space to the file instead.",
        )
    try:
        described = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"{key!r} is not JSON ({error})", where=key) from error
    if not isinstance(described, dict) or "type" not in described:
        raise FormatError(path, f"{key!r} describes no space", where=key)
    return described
