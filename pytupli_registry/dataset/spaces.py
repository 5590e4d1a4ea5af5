"""Gymnasium spaces as Minari's JSON, and what they say about the leaves of an episode.

Spaces are read from JSON as data: describing one imports nothing, and sizes are checked before anything is
allocated. Gymnasium itself is imported only when a caller asks for the space object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import gymnasium

__all__ = ["LeafSpace", "from_gymnasium", "is_image", "leaf_spaces", "to_gymnasium"]

_MAX_DEPTH = 32
_MAX_LEAVES = 4096
_MAX_VALUES = 1 << 28
_MAX_SPREAD = 1 << 20
_MIN_IMAGE_SIDE = 32
_DTYPES = "biufc?"


@dataclass(frozen=True, slots=True)
class LeafSpace:
    """What a space says about one leaf.

    Attributes:
        path: the leaf.
        kind: Gymnasium's class name: Box, Discrete, MultiDiscrete, MultiBinary or Text.
        dtype: of the values; None for Text.
        shape: of one value; ``()`` for Discrete and Text.
        description: the space as JSON.
    """

    path: str
    kind: str
    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]
    description: Mapping[str, Any]


def leaf_spaces(description: Mapping[str, Any], path: str) -> dict[str, LeafSpace]:
    """Return the leaves that values of a space consist of, by path, in the order of the space.

    Raises:
        SpaceError: the description is malformed, of an unknown kind, nested too deeply or too large.
    """
    found: dict[str, LeafSpace] = {}
    for leaf in _walk(description, path, 0):
        found[leaf.path] = leaf
        if len(found) > _MAX_LEAVES:
            raise SpaceError(f"The space at {path} has more than {_MAX_LEAVES} parts.")
    return found


def _walk(description: object, path: str, depth: int) -> Iterator[LeafSpace]:
    if depth > _MAX_DEPTH:
        raise SpaceError(f"The space at {path} is nested more than {_MAX_DEPTH} levels deep.")
    if not isinstance(description, dict) or not isinstance(description.get("type"), str):
        raise SpaceError(f"The space at {path} is no description of a space: {description!r:.80}.")
    kind = description["type"]
    if kind in {"Dict", "Tuple"}:
        for name, subspace in _subspaces(description, path):
            yield from _walk(subspace, f"{path}/{name}", depth + 1)
        return
    try:
        yield _leaf(kind, description, path)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SpaceError(f"The {kind} space at {path} is malformed: {error!r:.120}.") from error


def _subspaces(description: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    subspaces = description.get("subspaces")
    if description["type"] == "Dict" and isinstance(subspaces, dict):
        for name in subspaces:
            if not name or "/" in name or name in {".", ".."} or "\x00" in name:
                raise SpaceError(f"The Dict space at {path} has a key {name!r} that HDF5 cannot keep.")
        return list(subspaces.items())
    if description["type"] == "Tuple" and isinstance(subspaces, list):
        return [(f"_index_{position}", subspace) for position, subspace in enumerate(subspaces)]
    raise SpaceError(f"The {description['type']} space at {path} has no usable 'subspaces'.")


def _leaf(kind: str, description: dict[str, Any], path: str) -> LeafSpace:
    if kind == "Box":
        shape = tuple(int(extent) for extent in description["shape"])
        _check_size(shape, path)
        for bound in ("low", "high"):
            _check_bound(description[bound], shape, path)
        return LeafSpace(path, kind, _dtype(description["dtype"], path), shape, description)
    if kind == "Discrete":
        if int(description["n"]) < 1:
            raise SpaceError(f"The Discrete space at {path} has no values.")
        int(description.get("start") or 0)
        return LeafSpace(path, kind, np.dtype(np.int64), (), description)
    if kind == "MultiDiscrete":
        shape = np.shape(description["nvec"])
        _check_size(shape, path)
        for numbers in (description["nvec"], description.get("start") or 0):
            if np.size(numbers) and np.asarray(numbers).dtype.kind not in "iu":
                raise SpaceError(f"The MultiDiscrete space at {path} counts with {numbers!r:.80}.")
        return LeafSpace(path, kind, _dtype(description.get("dtype", "int64"), path), shape, description)
    if kind == "MultiBinary":
        extents = description["n"]
        shape = tuple(int(n) for n in extents) if isinstance(extents, list) else (int(extents),)
        _check_size(shape, path)
        return LeafSpace(path, kind, np.dtype(np.int8), shape, description)
    if kind == "Text":
        _check_text(description)
        return LeafSpace(path, kind, None, (), description)
    raise SpaceError(f"The space at {path} is of the kind {kind!r}, which Minari cannot keep.")


def _check_text(description: Mapping[str, Any]) -> None:
    """Read what a Text space says of itself once, so that nobody trips over it later."""
    frozenset(description["charset"])
    int(description["max_length"])
    int(description.get("min_length", 1))


def _dtype(name: object, path: str) -> np.dtype[Any]:
    try:
        dtype = np.dtype(str(name))
    except TypeError as error:
        raise SpaceError(f"The space at {path} has the unknown dtype {name!r:.40}.") from error
    if dtype.kind not in _DTYPES:
        raise SpaceError(f"The space at {path} has the dtype {dtype}, which is no number.")
    return dtype


def _check_size(shape: tuple[int, ...], path: str) -> None:
    size = 1
    for extent in shape:
        size *= extent
        if extent < 0 or size > _MAX_VALUES:
            raise SpaceError(f"The space at {path} declares the impossible shape {shape}.")


def _check_bound(bound: Any, shape: tuple[int, ...], path: str) -> None:  # noqa: ANN401 - whatever JSON holds
    """Refuse a bound that does not fit, or whose spreading over the shape would need memory the file did not."""
    values, size = np.asarray(bound), math.prod(shape)
    if values.dtype.kind not in _DTYPES:
        raise SpaceError(f"The Box space at {path} has a bound that is no number: {bound!r:.80}.")
    given = values.shape
    if size == 0 == values.size:
        return  # JSON cannot tell the shapes of empty arrays apart
    if np.broadcast_shapes(given, shape) != shape or (given != shape and size > _MAX_SPREAD):
        raise SpaceError(f"The Box space at {path} has the shape {shape}, but a bound of the shape {given}.")


def is_image(space: LeafSpace) -> bool:
    """Whether Minari takes the space for an image, which it writes as JPEG by default.

    The rule is Minari's own (``minari.dataset.minari_storage.is_image_space``): a uint8 Box of rank 2 or 3, at
    least 32 × 32, from 0 to 255.
    """
    return (
        space.kind == "Box"
        and space.dtype == np.uint8
        and len(space.shape) in {2, 3}
        and min(space.shape[:2]) >= _MIN_IMAGE_SIDE
        and bool(np.all(np.asarray(space.description["low"]) == 0))
        and bool(np.all(np.asarray(space.description["high"]) == 255))
    )


def to_gymnasium(description: Mapping[str, Any]) -> gymnasium.Space[Any]:
    """Build the Gymnasium space.

    Raises:
        SpaceError: the description is malformed.
    """
    leaf_spaces(description, "space")
    try:
        return _build(description)
    except (KeyError, TypeError, ValueError, AssertionError, OverflowError) as error:
        raise SpaceError(f"The space cannot be built: {error!s:.200}.") from error


def _build(description: Mapping[str, Any]) -> gymnasium.Space[Any]:
    from gymnasium import spaces  # noqa: PLC0415 - reading data must not cost Gymnasium's import

    kind = description["type"]
    if kind == "Dict":
        return spaces.Dict({name: _build(part) for name, part in description["subspaces"].items()})
    if kind == "Tuple":
        return spaces.Tuple(tuple(_build(part) for part in description["subspaces"]))
    if kind == "Discrete":
        return spaces.Discrete(n=int(description["n"]), start=int(description.get("start", 0)))
    if kind == "MultiDiscrete":
        start = description.get("start")
        nvec = np.asarray(description["nvec"])
        return spaces.MultiDiscrete(
            nvec, dtype=description.get("dtype", "int64"), start=None if start is None else np.asarray(start)
        )
    if kind == "MultiBinary":
        return spaces.MultiBinary(description["n"])
    if kind == "Text":
        return spaces.Text(
            max_length=int(description["max_length"]),
            min_length=int(description.get("min_length", 1)),
            charset=description["charset"],
        )
    dtype = np.dtype(description["dtype"])
    shape = tuple(description["shape"])
    low, high = (
        np.broadcast_to(np.asarray(description[bound], dtype=dtype), shape)
        if math.prod(shape)
        else np.zeros(shape, dtype)
        for bound in ("low", "high")
    )
    return spaces.Box(low=low, high=high, shape=shape, dtype=dtype.type)


def from_gymnasium(space: gymnasium.Space[Any]) -> dict[str, Any]:
    """Describe a Gymnasium space as Minari's JSON object.

    Raises:
        SpaceError: Minari has no way to keep a space of this kind.
    """
    from gymnasium import spaces  # noqa: PLC0415

    match space:
        case spaces.Dict():
            return {
                "type": "Dict",
                "subspaces": {key: from_gymnasium(part) for key, part in space.spaces.items()},
            }
        case spaces.Tuple():
            return {"type": "Tuple", "subspaces": [from_gymnasium(part) for part in space.spaces]}
        case spaces.Box():
            return {
                "type": "Box",
                "dtype": str(space.dtype),
                "shape": list(space.shape),
                "low": space.low.tolist(),
                "high": space.high.tolist(),
            }
        case spaces.Discrete():
            return {"type": "Discrete", "dtype": "int64", "start": int(space.start), "n": int(space.n)}
        case spaces.MultiDiscrete():
            return {
                "type": "MultiDiscrete",
                "dtype": str(space.dtype),
                "nvec": space.nvec.tolist(),
                "start": space.start.tolist(),
            }
        case spaces.MultiBinary():
            extents = np.asarray(space.n).tolist()  # an int, or a list of the shape
            return {"type": "MultiBinary", "n": extents}
        case spaces.Text():
            return {
                "type": "Text",
                "max_length": space.max_length,
                "min_length": space.min_length,
                "charset": space.characters,
            }
        case _:
            raise SpaceError(
                f"A {type(space).__name__} space cannot be kept in a Minari dataset.",
                hint="Box, Discrete, MultiDiscrete, MultiBinary, Text, Dict and Tuple can.",
            )
