"""Replaying an episode: the same seed and actions, and how far what comes back is from what was recorded."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, flatten
from pytupli_registry.dataset.spaces import LeafSpace, from_gymnasium, leaf_spaces
from pytupli_registry.environments.arguments import objections
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import gymnasium
    from numpy.typing import NDArray

    from pytupli_registry.dataset.episode import Episode
    from pytupli_registry.dataset.leaves import Tree

__all__ = ["Difference", "Drift", "Outcome", "Tolerance", "replay"]

Outcome = Literal["identical", "within tolerance", "different", "not replayable"]
Shown = str | int | float | bool
NO_SEED = "it was recorded without a seed"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far floating-point numbers may be apart: ``absolute + relative · |recorded|``, as in ``numpy.isclose``.

    Integers, flags, texts, and with them images, have no tolerance.
    """

    relative: float = 1e-5
    absolute: float = 1e-6


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay is not what was recorded.

    Attributes:
        leaf: ``rewards``, ``observations/position``, …
        step: the step, from 0 on, that returned it; None for what the reset returned.
        component: index within the leaf, empty for scalars.
        recorded: the value in the recording; texts for what JSON has no number for.
        replayed: the value here.
        absolute: distance of the two; None where there is none, as between a number and NaN.
        relative: that, over the larger of the two magnitudes: 2 at most.
    """

    leaf: str
    step: int | None
    component: tuple[int, ...]
    recorded: Shown
    replayed: Shown
    absolute: float | None = None
    relative: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """What a replay of one episode came to.

    Attributes:
        episode: its number in the dataset, or of the rollout.
        outcome: ``identical`` if every value is the same (NaN being NaN, and a zero's sign left aside).
        steps: how many steps were taken and compared.
        largest: the largest absolute difference within the tolerance; None where there is none.
        largest_relative: the largest relative difference of those, wherever it is.
        first: the first value beyond the tolerance, where ``different`` comes from one.
        reason: one sentence, where the outcome is ``different`` or ``not replayable``.
    """

    episode: int
    outcome: Outcome
    steps: int = 0
    largest: Difference | None = None
    largest_relative: float = 0.0
    first: Difference | None = None
    reason: str = ""


def replay(
    env: gymnasium.Env[Any, Any],
    episode: Episode,
    tolerance: Tolerance | None = None,
    *,
    skip: Collection[str] = (),
    cut_outside: bool = True,
) -> Drift:
    """Reset an environment with the seed and options of an episode, repeat its actions, and compare.

    Values are compared in the recorded dtype: a float64 that was kept as float32 is rounded first. What a wrapper
    remembers of earlier episodes (NormalizeObservation's mean) is not part of an episode: give such an environment
    fresh. Errors that the environment raises are not caught.

    Args:
        env: is reset and stepped, not closed.
        episode: what was recorded.
        tolerance: ``Tolerance()`` if None.
        skip: observation leaves that are not compared, lossy images for example.
        cut_outside: whether the recorder may have truncated the last step itself; it is no difference then that the
            environment does not.
    """
    obstacle = _obstacle(episode)
    if obstacle:
        return Drift(episode.episode_id, "not replayable", reason=obstacle)
    problem = _unlike_spaces(env, episode, skip)
    if problem:
        return Drift(episode.episode_id, "different", reason=problem)
    run = _Run(episode, skip)
    run.play(env)
    return _judge(run, episode, tolerance or Tolerance(), cut_outside=cut_outside)


def _obstacle(episode: Episode) -> str:
    """Return what keeps an episode from being replayed, or an empty text; options are arguments that data brings."""
    if episode.seed is None:
        return NO_SEED
    if episode.seed < 0 or not len(episode):
        return "it has no steps" if not len(episode) else f"its seed is {episode.seed}"
    for objection in objections(dict(episode.options or {}), Permissions()):
        return f"an option of its reset is {objection.problem}"
    return ""


def _unlike_spaces(env: gymnasium.Env[Any, Any], episode: Episode, skip: Collection[str]) -> str:
    """Return in what an episode does not fit the environment's spaces, or an empty text."""
    for root, space, recorded in (
        ("observations", env.observation_space, episode.observations),
        ("actions", env.action_space, episode.actions),
    ):
        try:
            wanted = leaf_spaces(from_gymnasium(space), root)
        except SpaceError as error:
            return f"the {root[:-1]} space of the environment cannot be compared: {error.message}"
        leaves = flatten(recorded, root)
        if wanted and wanted.keys() != leaves.keys():
            return _unlike_leaves(wanted.keys(), leaves.keys())
        for path, leaf in wanted.items():
            problem = "" if path in skip else _unlike_leaf(leaf, leaves[path])
            if problem:
                return problem
    return ""


def _unlike_leaves(here: Collection[str], recorded: Collection[str]) -> str:
    extra, missing = sorted(set(here) - set(recorded)), sorted(set(recorded) - set(here))
    said = [f"here is {', '.join(extra)}, which was not recorded"] if extra else []
    said += [f"recorded was {', '.join(missing)}, which is not here"] if missing else []
    return f"the spaces are different: {'; '.join(said)}"


def _unlike_leaf(space: LeafSpace, recorded: Any) -> str:  # noqa: ANN401 - an array or a list of str
    if isinstance(recorded, list) or space.dtype is None:
        alike = isinstance(recorded, list) and space.dtype is None
        return (
            "" if alike else f"{space.path} is text in only one of the recording and the environment's space"
        )
    shape = recorded.shape[1:]
    if shape != space.shape:
        return f"{space.path} has the shape {space.shape} here; {shape} was recorded"
    if _number_kind(recorded.dtype) != _number_kind(space.dtype):
        return f"{space.path} has the dtype {space.dtype} here; {recorded.dtype} was recorded"
    return _unlike_choices(space, recorded)


def _number_kind(dtype: np.dtype[Any]) -> str:
    return "exact" if dtype.kind in "biu" else dtype.kind


def _unlike_choices(space: LeafSpace, recorded: NDArray[Any]) -> str:
    """Refuse actions that do not exist here; those beyond a Box are the environment's to clip."""
    if not space.path.startswith("actions") or space.kind not in {"Discrete", "MultiDiscrete"}:
        return ""
    count = np.asarray(space.description["n" if space.kind == "Discrete" else "nvec"])
    first = np.asarray(space.description.get("start") or 0)
    outside = ((recorded < first) | (recorded >= first + count)).reshape(len(recorded), -1).any(axis=1)
    if not outside.any():
        return ""
    step = int(np.argmax(outside))
    return f"the action of step {step}, {recorded[step].tolist()}, is not in the action space here"


class _Run:
    """What the environment returned, in the dtype of the recording."""

    def __init__(self, episode: Episode, skip: Collection[str]) -> None:
        self.episode = episode
        seen = flatten(episode.observations, "observations")
        flags = {TERMINATIONS: episode.terminations, TRUNCATIONS: episode.truncations}
        self.recorded: dict[str, Any] = {path: values for path, values in seen.items() if path not in skip}
        self.recorded |= {REWARDS: episode.rewards, **flags}
        self.replayed: dict[str, Any] = {
            path: [] if isinstance(values, list) else np.empty_like(values, order="C")
            for path, values in self.recorded.items()
        }
        self.steps = 0
        self.mismatch: Difference | None = None
        self._skip = frozenset(skip)
        self._wanted = seen.keys() - self._skip if episode.observations is not None else set[str]()

    def play(self, env: gymnasium.Env[Any, Any]) -> None:
        """Step until the recording or the environment's episode ends, or a value has no place in the recording."""
        ends: list[tuple[float, bool, bool]] = []
        options = None if self.episode.options is None else copy.deepcopy(dict(self.episode.options))
        observation, _ = env.reset(seed=self.episode.seed, options=options)
        self._put_observation(0, observation)
        for action in _actions(env.action_space, self.episode):
            if self.mismatch is not None or (ends and (ends[-1][1] or ends[-1][2])):
                break
            observation, reward, terminated, truncated, _ = env.step(action)
            ends.append((float(reward), bool(terminated), bool(truncated)))
            self._put_observation(len(ends), observation)
        self.steps = len(ends)
        for path, values in zip((REWARDS, TERMINATIONS, TRUNCATIONS), zip(*ends, strict=True), strict=False):
            with np.errstate(over="ignore"):
                self.replayed[path][: self.steps] = values

    @property
    def comparable_steps(self) -> int:
        """Steps whose values all have a place; -1 if not even the reset's have."""
        if self.mismatch is None:
            return self.steps
        return -1 if self.mismatch.step is None else self.mismatch.step

    def _put_observation(self, row: int, observation: Tree) -> None:
        found = flatten(observation, "observations")
        step = row - 1 if row else None
        here = found.keys() - self._skip
        if here != self._wanted and self._wanted:
            leaves = (", ".join(sorted(self._wanted)), ", ".join(sorted(here)))
            self.mismatch = self.mismatch or Difference("observations", step, (), *leaves)
            return
        for path in self._wanted:
            self._put(path, row, step, found[path])

    def _put(self, path: str, row: int, step: int | None, value: Any) -> None:  # noqa: ANN401
        target = self.replayed[path]
        if isinstance(target, list):
            target.append(str(value))
            return
        array = np.asarray(value)
        if array.dtype == target.dtype and array.shape == target.shape[1:]:
            target[row] = array
            return
        problem = _no_place(array, target)
        if problem is None:
            with np.errstate(over="ignore"):  # what is too large for float32 is infinite there
                target[row] = array
        elif self.mismatch is None:
            self.mismatch = Difference(path, step, (), *problem)


def _no_place(value: NDArray[Any], target: NDArray[Any]) -> tuple[str, str] | None:
    """Return what the recording holds and what came, where the value cannot be compared in its dtype."""
    if value.shape != target.shape[1:]:
        return f"shape {target.shape[1:]}", f"shape {value.shape}"
    if value.dtype.kind not in "biufc" or (value.dtype.kind == "c") > (target.dtype.kind == "c"):
        return f"dtype {target.dtype}", f"dtype {value.dtype}"
    if target.dtype.kind in "biu" and value.dtype != target.dtype:
        with np.errstate(invalid="ignore"):
            kept = value.astype(target.dtype)
        if not np.array_equal(kept, value):
            return f"dtype {target.dtype}", f"{value.tolist()!s:.60}"
    return None


def _actions(space: gymnasium.Space[Any], episode: Episode) -> Iterator[Any]:
    """Yield the recorded actions as the environment takes them."""
    for step in range(len(episode)):
        yield _element(space, episode.actions, step)


def _element(space: gymnasium.Space[Any], recorded: Tree, step: int) -> Any:  # noqa: ANN401 - an element of the space
    from gymnasium import spaces  # noqa: PLC0415 - loading a benchmark must not cost Gymnasium's import

    if isinstance(space, spaces.Dict):
        parts = recorded or {}
        return {key: _element(part, parts.get(key), step) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(
            _element(part, values, step) for part, values in zip(space.spaces, recorded or (), strict=True)
        )
    if isinstance(recorded, list):
        return recorded[step]
    if isinstance(space, spaces.Discrete):
        return np.int64(recorded[step])
    return np.array(recorded[step])  # a copy: environments may write into it


def _judge(run: _Run, episode: Episode, tolerance: Tolerance, *, cut_outside: bool) -> Drift:
    found = _Findings(first=run.mismatch)
    for path, recorded in run.recorded.items():
        values = recorded
        if path == TRUNCATIONS and cut_outside:
            values = recorded.copy()
            values[-1] &= run.replayed[path][-1]  # only read where the replay came that far
        offset = int(path.startswith("observations"))
        rows = slice(max(run.comparable_steps + offset, 0))
        found.add(path, (values[rows], run.replayed[path][rows]), offset, tolerance)
    number, first = episode.episode_id, found.first
    if first is None:
        outcome: Outcome = "identical" if found.largest is None else "within tolerance"
        return Drift(number, outcome, run.steps, found.largest, found.largest_relative)
    reason = _told(first)
    if run.steps < len(episode) and run.mismatch is None:
        reason += f"; the episode ends here after {run.steps} steps, recorded are {len(episode)}"
    return Drift(number, "different", run.steps, found.largest, found.largest_relative, first, reason)


@dataclass(slots=True)
class _Findings:
    """The first difference beyond the tolerance, and the largest within it."""

    first: Difference | None = None
    largest: Difference | None = None
    largest_relative: float = 0.0

    def add(self, path: str, pair: tuple[Any, Any], offset: int, tolerance: Tolerance) -> None:
        """Compare the rows of a leaf; ``offset`` rows come from the reset."""
        recorded, replayed = pair
        if isinstance(recorded, list):
            unequal = [row for row, texts in enumerate(zip(*pair, strict=True)) if texts[0] != texts[1]]
            if unequal:
                row = unequal[0]
                self._put_first(
                    Difference(path, _step(row, offset), (), recorded[row][:80], replayed[row][:80])
                )
            return
        equal = _equal(recorded, replayed)
        if equal.all():
            return
        distance, relative, beyond = _distances(recorded, replayed, equal, tolerance)
        if beyond.any():
            row = int(np.argmax(beyond.reshape(len(beyond), -1).any(axis=1)))
            shown = np.where(beyond[row], np.nan_to_num(distance[row], nan=np.inf), -1.0)
            index = (row, *np.unravel_index(int(np.argmax(shown)), shown.shape))
            self._put_first(_difference(path, pair, index, offset, (distance, relative)))
        close = ~equal & ~beyond
        if close.any():
            index = np.unravel_index(int(np.argmax(np.where(close, distance, -1.0))), close.shape)
            self._put_largest(_difference(path, pair, index, offset, (distance, relative)))
            self.largest_relative = max(self.largest_relative, float(relative[close].max()))

    def _put_first(self, found: Difference) -> None:
        if self.first is None or _order(found) < _order(self.first):
            self.first = found

    def _put_largest(self, found: Difference) -> None:
        if self.largest is None or (found.absolute or 0.0) > (self.largest.absolute or 0.0):
            self.largest = found


def _equal(recorded: NDArray[Any], replayed: NDArray[Any]) -> NDArray[np.bool_]:
    equal = np.asarray(recorded == replayed)
    if recorded.dtype.kind in "fc":
        equal |= np.isnan(recorded) & np.isnan(replayed)
    return equal


def _distances(
    recorded: NDArray[Any], replayed: NDArray[Any], equal: NDArray[np.bool_], tolerance: Tolerance
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Return absolute and relative distances, and which are beyond the tolerance."""
    wide = np.result_type(recorded.dtype, np.float64)
    left, right = recorded.astype(wide), replayed.astype(wide)
    with np.errstate(all="ignore"):  # infinities and NaN are told apart below
        distance = np.abs(left - right)
        relative = distance / np.maximum(np.abs(left), np.abs(right))
        near = distance <= tolerance.absolute + tolerance.relative * np.abs(left)
    near &= np.isfinite(left) & np.isfinite(right)
    if recorded.dtype.kind in "biu":
        near[...] = False
    return distance, relative, ~equal & ~near


def _difference(
    path: str,
    pair: tuple[NDArray[Any], NDArray[Any]],
    index: tuple[Any, ...],
    offset: int,
    distances: tuple[NDArray[Any], NDArray[Any]],
) -> Difference:
    place = tuple(map(int, index))
    absolute, relative = (_finite(values[place]) for values in distances)
    recorded, replayed = (_shown(values[place]) for values in pair)
    return Difference(path, _step(place[0], offset), place[1:], recorded, replayed, absolute, relative)


def _step(row: int, offset: int) -> int | None:
    return row - offset if row >= offset else None


def _order(difference: Difference) -> int:
    return -1 if difference.step is None else difference.step


def _finite(value: Any) -> float | None:  # noqa: ANN401 - a numpy scalar
    return float(value) if np.isfinite(value) else None


def _shown(value: Any) -> Shown:  # noqa: ANN401 - a numpy scalar
    plain = value.item()
    return (
        plain
        if isinstance(plain, bool | int) or (isinstance(plain, float) and np.isfinite(plain))
        else str(plain)
    )


def _told(difference: Difference) -> str:
    when = "the reset" if difference.step is None else f"step {difference.step}"
    component = f"[{', '.join(map(str, difference.component))}]" if difference.component else ""
    values = f"{difference.recorded} recorded, {difference.replayed} here"
    return f"from {when} ({difference.leaf}{component}: {values})"
