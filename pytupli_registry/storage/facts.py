"""Facts about an episode: as the user gives them, as HDF5 attributes, in the journal and in the index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import EpisodeError
from pytupli_registry.storage.hdf5.attribute_values import normalise
from pytupli_registry.storage.hdf5.attributes import field_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytupli_registry.dataset.episode import Episode

__all__ = ["attributes_of", "fact_columns", "from_journal", "to_journal"]

_OURS = {"id", "total_steps", "seed"}
_SCALARS = (bool, int, float, str)
_LONGEST_NAME = 1024


def attributes_of(episode: Episode) -> dict[str, Any]:
    """Return the attributes of an episode's group beside ``id`` and ``total_steps``.

    Raises:
        EpisodeError: a name is taken or impossible, or a value is nothing that an attribute can hold.
    """
    found: dict[str, Any] = {}
    if episode.seed is not None:
        found["seed"] = normalise("seed", episode.seed)
    if episode.options:
        _flatten(episode.options, "options", found)
    for name, value in episode.metadata.items():
        if name in _OURS or name.startswith("options/") or name == "options":
            raise EpisodeError(f"Episode metadata cannot be named {name!r}: Minari keeps its own fact there.")
        if value is not None:
            _check_name(name)
            found[name] = normalise(name, value)
    return found


def _flatten(options: Mapping[str, Any], prefix: str, found: dict[str, Any]) -> None:
    for name, value in options.items():
        path = f"{prefix}/{name}"
        _check_name(path)
        if isinstance(value, dict):
            _flatten(value, path, found)
        elif value is not None:
            found[path] = normalise(path, value)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name or "\0" in name or len(name) > _LONGEST_NAME:
        raise EpisodeError(f"{name!r:.80} is no name for a fact about an episode.")


def to_journal(attributes: Mapping[str, Any]) -> str:
    """Return attributes as a JSON object; arrays keep their dtype."""
    return json.dumps({name: _to_json(value) for name, value in attributes.items()}) if attributes else "{}"


def _to_json(value: Any) -> Any:  # noqa: ANN401 - what normalise() gives
    if isinstance(value, _SCALARS):
        return value
    if value.dtype.kind == "U":
        return {"shape": value.shape, "texts": value.ravel().tolist()}
    return {"shape": value.shape, "dtype": value.dtype.str, "bytes": value.tobytes().hex()}


def from_journal(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that :func:`to_journal` wrote."""
    return {name: _from_json(value) if type(value) is dict else value for name, value in facts.items()}


def _from_json(value: dict[str, Any]) -> Any:  # noqa: ANN401
    if "texts" in value:
        return np.array(value["texts"], dtype=np.str_).reshape(value["shape"])
    raw = np.frombuffer(bytes.fromhex(value["bytes"]), dtype=np.dtype(value["dtype"]))
    return raw.reshape(value["shape"])


def fact_columns(attributes: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return attributes by full field name as the index takes them: one value an episode, None where it has none."""
    names = dict.fromkeys(name for found in attributes for name in found)
    return {field_name(name): [_plain(found.get(name)) for found in attributes] for name in names}


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, np.ndarray):
        return value.item() if value.shape == () else json.dumps(value.tolist())
    return value
