"""Observations as d3rlpy takes them: one array, or a tuple of arrays.

The rule, by observation space:

* a vector (``Box`` of rank 1, ``MultiBinary``, ``MultiDiscrete``): as it is; a scalar (``Discrete``, ``Box`` of
  rank 0): a vector of one; ``Discrete`` values are not shifted;
* with ``discrete_observation="one_hot"``, ``Discrete(n)``: n numbers, 1 at the place of the value and 0 elsewhere;
  ``MultiDiscrete``: those of each of its numbers joined; float32;
* an image (``Box`` of rank 3, uint8 ``Box`` of rank 2): channels first, see ``image_layout``;
* goal-conditioned (a ``Dict`` with ``observation`` and ``desired_goal``): ``observation`` and ``desired_goal``
  joined, as d3rlpy's ``GoalConcatWrapper`` does; with ``tuple_observation`` a tuple of the two;
* any other ``Dict`` or ``Tuple``: a tuple of its leaves, ``Dict`` keys sorted as Gymnasium sorts them; a space
  with one leaf is that leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import TransformObservation

from pytupli_d3rlpy.one_hot import OneHot
from pytupli_d3rlpy.rows import NOTHING, ChannelsLastRows, ConcatenatedRows, OneHotRows, PlainRows, Rows
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import gymnasium
    from numpy.typing import NDArray

    from pytupli_registry import Dataset

__all__ = ["DiscreteObservation", "ImageLayout", "ObservationOptions", "ObservationRule"]

DiscreteObservation = Literal["number", "one_hot"]
ImageLayout = Literal["auto", "channels_first", "channels_last"]

_IMAGE_RANK = 3


@dataclass(frozen=True)
class ObservationOptions:
    """What a space leaves open; see :func:`pytupli_d3rlpy.to_d3rlpy`."""

    tuple_observation: bool = False
    image_layout: ImageLayout = "auto"
    discrete_observation: DiscreteObservation = "number"

    def __post_init__(self) -> None:
        for name, known in (("image_layout", ImageLayout), ("discrete_observation", DiscreteObservation)):
            check_option(name, getattr(self, name), get_args(known))


def check_option(name: str, value: str, known: tuple[str, ...]) -> None:
    """Check a choice.

    Raises:
        AdapterError: it is not among those known.
    """
    if value not in known:
        raise AdapterError(
            f"{name}={value!r} is no option.", hint=f"Use one of {', '.join(map(repr, known))}."
        )


@dataclass(frozen=True)
class _Part:
    """One leaf of the observation space.

    Attributes:
        keys: how to reach it in an observation.
        space: Box over its values as they are stored.
        shape: of one row as it is stored, scalars being vectors of one.
        channels_last: whether the last axis goes first.
        code: of whole numbers that are shown one-hot.
    """

    keys: tuple[str | int, ...]
    space: spaces.Box
    shape: tuple[int, ...]
    channels_last: bool = False
    code: OneHot | None = None

    def rows(self, dataset: Dataset) -> Rows:
        names = (f"_index_{key}" if isinstance(key, int) else key for key in self.keys)
        path = "/".join(("observations", *names))
        leaf = dataset.leaves.get(path)
        if leaf is None or not leaf.is_array:
            how = "is missing" if leaf is None else f"is kept as {leaf.encoding}"
            raise AdapterError(
                f"{path} {how} and cannot be memory-mapped for d3rlpy.",
                hint="Record it as numbers of a fixed shape (images without jpeg_encoding).",
            )
        rows = PlainRows(dataset.array(path, NOTHING), self.shape)
        if self.code is not None:
            return OneHotRows(rows, self.code)
        return ChannelsLastRows(rows) if self.channels_last else rows

    def arrange(self, values: NDArray[Any]) -> NDArray[Any]:
        shaped = np.reshape(values, self.shape)
        if self.code is not None:
            return self.code.encode(shaped)
        return np.moveaxis(shaped, -1, 0) if self.channels_last else shaped

    def value(self, observation: Any) -> NDArray[Any]:  # noqa: ANN401 - whatever the environment gives
        for key in self.keys:
            observation = observation[key]
        return self.arrange(np.asarray(observation, dtype=self.space.dtype))

    def arranged_space(self) -> spaces.Box:
        if self.code is not None:
            return spaces.Box(0, 1, shape=(self.code.width,), dtype=np.float32)
        low, high = self.arrange(self.space.low), self.arrange(self.space.high)
        return spaces.Box(low, high, dtype=low.dtype.type)


@dataclass(frozen=True)
class _Component:
    """One array that d3rlpy sees: a leaf, or several vectors joined."""

    parts: tuple[_Part, ...]

    def rows(self, dataset: Dataset) -> Rows:
        rows = tuple(part.rows(dataset) for part in self.parts)
        return rows[0] if len(rows) == 1 else ConcatenatedRows(rows)

    def value(self, observation: Any) -> NDArray[Any]:  # noqa: ANN401
        values = [part.value(observation) for part in self.parts]
        return values[0] if len(values) == 1 else np.concatenate(values, axis=-1)

    def space(self) -> spaces.Box:
        boxes = [part.arranged_space() for part in self.parts]
        if len(boxes) == 1:
            return boxes[0]
        low, high = (np.concatenate([getattr(box, end) for box in boxes]) for end in ("low", "high"))
        return spaces.Box(low, high, dtype=low.dtype.type)


@dataclass(frozen=True)
class ObservationRule:
    """How observations of one space become d3rlpy's.

    Attributes:
        space: the dataset's observation space.
        components: the arrays that d3rlpy sees; one unless ``is_tuple``.
        is_tuple: whether d3rlpy sees a tuple.
    """

    space: gymnasium.Space[Any]
    components: tuple[_Component, ...]
    is_tuple: bool

    @classmethod
    def of(cls, space: gymnasium.Space[Any], options: ObservationOptions) -> ObservationRule:
        """Choose the rule; see the module.

        Raises:
            AdapterError: the space has a part that is no array of numbers, or no part at all.
        """
        if isinstance(space, spaces.Dict):
            joined = _goal_components(space, options)
            if joined and options.tuple_observation:
                return cls(space, joined, is_tuple=True)
            if joined:
                parts = tuple(part for component in joined for part in component.parts)
                return cls(space, (_Component(parts),), is_tuple=False)
        components = tuple(_Component((part,)) for part in _parts(space, (), options))
        if not components:
            raise AdapterError("The observation space has no part that d3rlpy could learn from.")
        return cls(space, components, is_tuple=len(components) > 1)

    @property
    def shape(self) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        """What d3rlpy knows as ``observation_shape``."""
        shapes = tuple(component.space().shape for component in self.components)
        return shapes if self.is_tuple else shapes[0]

    def value(self, observation: Any) -> NDArray[Any] | tuple[NDArray[Any], ...]:  # noqa: ANN401
        """Return one observation of the environment as d3rlpy sees it."""
        values = tuple(component.value(observation) for component in self.components)
        return values if self.is_tuple else values[0]

    def batch(self, observations: Sequence[Any]) -> NDArray[Any] | tuple[NDArray[Any], ...]:
        """Return observations of the environment as ``predict`` takes them.  # (n, *shape), each"""  # noqa: D415
        batches = tuple(
            np.stack([component.value(observation) for observation in observations])
            for component in self.components
        )
        return batches if self.is_tuple else batches[0]

    def rows(self, dataset: Dataset) -> tuple[Rows, ...]:
        """Return the rows of each component, T+1 an episode, of the whole dataset.

        Raises:
            AdapterError: a leaf is missing or has no fixed shape.
        """
        return tuple(component.rows(dataset) for component in self.components)

    def wrap(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """Return the environment giving the observations that d3rlpy was trained on; itself where nothing differs."""
        shown = [component.space() for component in self.components]
        if self.is_tuple:
            return TransformObservation(env, self.value, spaces.Tuple(shown))
        if isinstance(self.space, spaces.Box) and shown[0].shape == self.space.shape:
            return env
        return TransformObservation(env, self.value, shown[0])


def _goal_components(space: spaces.Dict, options: ObservationOptions) -> tuple[_Component, ...] | None:
    """Return observation and goal of a goal-conditioned space of vectors; None for any other space."""
    if not {"observation", "desired_goal"} <= set(space.spaces):
        return None
    found = tuple(
        _Component(tuple(_parts(space[key], (key,), options))) for key in ("observation", "desired_goal")
    )
    vectors = all(len(part.shape) == 1 for component in found for part in component.parts)
    return found if vectors and all(component.parts for component in found) else None


def _parts(
    space: gymnasium.Space[Any], keys: tuple[str | int, ...], options: ObservationOptions
) -> Iterator[_Part]:
    if isinstance(space, spaces.Dict):
        for name in sorted(space.spaces):
            yield from _parts(space[name], (*keys, name), options)
    elif isinstance(space, spaces.Tuple):
        for number, part in enumerate(space.spaces):
            yield from _parts(part, (*keys, number), options)
    elif options.discrete_observation == "one_hot" and isinstance(
        space, (spaces.Discrete, spaces.MultiDiscrete)
    ):
        code = OneHot.of(space)
        yield _Part(keys, _box(space, keys), (len(code.sizes),), code=code)
    else:
        yield _part(_box(space, keys), keys, options.image_layout)


def _part(box: spaces.Box, keys: tuple[str | int, ...], image_layout: ImageLayout) -> _Part:
    shape = box.shape or (1,)
    if len(shape) == _IMAGE_RANK - 1 and box.dtype == np.uint8:
        shape = (1, *shape)
        return _Part(keys, box, shape)
    return _Part(keys, box, shape, channels_last=_has_channels_last(shape, image_layout))


def _has_channels_last(shape: tuple[int, ...], image_layout: ImageLayout) -> bool:
    if len(shape) != _IMAGE_RANK or image_layout == "channels_first":
        return False
    return image_layout == "channels_last" or shape[2] < min(shape[:2])


def _box(space: gymnasium.Space[Any], keys: tuple[str | int, ...]) -> spaces.Box:
    """Return the Box that holds the values of a space of numbers."""
    match space:
        case spaces.Box():
            return space
        case spaces.Discrete():
            first, last = int(space.start), int(space.start) + int(space.n) - 1
            return spaces.Box(first, last, shape=(), dtype=np.int64)
        case spaces.MultiDiscrete():
            return spaces.Box(space.start, space.start + space.nvec - 1, dtype=space.start.dtype.type)
        case spaces.MultiBinary():
            return spaces.Box(0, 1, shape=space.shape, dtype=np.int8)
        case _:
            where = "/".join(map(str, keys)) or "the observation"
            raise AdapterError(
                f"{where} is of the space {type(space).__name__}, which d3rlpy cannot learn from.",
                hint="It takes numbers: encode it as a vector and record again.",
            )
