"""Whether two ways of reading give the same values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.transitions import Transitions
    from pytupli_registry.validation.report import Findings

__all__ = ["AdapterCheck", "compare_episode", "compare_transitions", "same"]


def same(first: Any, second: Any) -> bool:  # noqa: ANN401 - arrays or lists of str
    """Whether two leaves hold the same values, NaN being equal to NaN."""
    left, right = np.asarray(first), np.asarray(second)
    if left.shape != right.shape:
        return False
    if left.dtype.kind in "fc" and right.dtype.kind in "fc":
        return bool(np.array_equal(left, right, equal_nan=True))
    if left.dtype.kind == "O" or right.dtype.kind == "O":
        return (
            all(same(a, b) for a, b in zip(left.ravel(), right.ravel(), strict=True))
            if left.ndim
            else left == right
        )
    return bool(np.array_equal(left, right))


def compare_episode(name: str, raw: Mapping[str, Any], found: Mapping[str, Any], findings: Findings) -> None:
    """Compare the leaves of one episode with what h5py says."""
    for path in raw.keys() | found.keys():
        if path not in found:
            findings.add("error", f"{name}/{path}", path, "h5py finds a leaf that the dataset does not give")
        elif path not in raw:
            findings.add("error", f"{name}/{path}", path, "the dataset gives a leaf that h5py does not find")
        elif not same(raw[path], found[path]):
            findings.add("error", f"{name}/{path}", path, "the dataset gives other values than h5py")
        elif getattr(raw[path], "dtype", None) != getattr(found[path], "dtype", None):
            findings.add("error", f"{name}/{path}", path, "the dataset gives another dtype than h5py")


def compare_transitions(name: str, raw: Mapping[str, Any], found: Transitions, findings: Findings) -> None:
    """Derive every transition of an episode from h5py's values and compare it with the dataset's."""
    expected: dict[str, dict[str, Any]] = {"observation": {}, "action": {}, "next_observation": {}}
    for path, values in raw.items():
        root = path.split("/", 1)[0]
        if root == "observations":
            expected["observation"][path] = values[:-1]
            expected["next_observation"][path] = values[1:]
        elif root == "actions":
            expected["action"][path] = values
    given = {
        "observation": flatten(found.observations, "observations"),
        "action": flatten(found.actions, "actions"),
        "next_observation": flatten(found.next_observations, "observations"),
    }
    for part, leaves in expected.items():
        for path, values in leaves.items():
            if path not in given[part] or not same(values, given[part][path]):
                findings.add(
                    "error", f"{name}/{path}", path, f"the {part} of a transition is not what h5py says"
                )
    for path, values in (
        (REWARDS, found.rewards),
        (TERMINATIONS, found.terminated),
        (TRUNCATIONS, found.truncated),
    ):
        if not same(raw[path], values):
            findings.add("error", f"{name}/{path}", path, "a transition has other values than h5py says")


class AdapterCheck:
    """Compares what an adapter delivers with h5py, episode by episode.

    Nothing is imported for it: the result is taken for d3rlpy's (``episodes``, one row a step) or Minari's
    (``iterate_episodes``, one observation more), whichever of the two it has.
    """

    def __init__(self, name: str, dataset: Dataset) -> None:
        """Convert the dataset.

        Raises:
            AdapterError: the adapter is not there or cannot take the dataset.
        """
        self.name = name
        converted = dataset.to(name)
        self._result = converted[0] if isinstance(converted, tuple) else converted
        self._by_steps = hasattr(self._result, "transition_picker")

    def compare(self, position: int, name: str, raw: Mapping[str, Any], findings: Findings) -> None:
        """Compare the episode at a position."""
        episode = self._result.episodes[position] if self._by_steps else self._result[position]
        rows = slice(None, -1) if self._by_steps else slice(None)
        expected = {
            "observations": raw.get("observations"),
            "actions": raw.get("actions"),
            REWARDS: raw[REWARDS],
        }
        for root, values in expected.items():
            if not isinstance(values, np.ndarray):
                continue  # nested: the adapter's own rule decides how the parts lie
            found = getattr(episode, root)
            wanted = values[rows] if root == "observations" else values
            if not _alike(wanted, found):
                message = f"the {self.name} adapter delivers other values than h5py"
                findings.add("error", f"{name}/{root}", f"{self.name}/{root}", message)
        self._compare_end(name, raw, episode, findings)
        if self._by_steps:
            self._compare_successors(name, raw, episode, findings)

    def _compare_end(
        self,
        name: str,
        raw: Mapping[str, Any],
        episode: Any,  # noqa: ANN401 - the learner's own episode
        findings: Findings,
    ) -> None:
        if self._by_steps:
            agrees = bool(episode.terminated) == bool(raw[TERMINATIONS][-1])
        else:
            agrees = all(same(raw[path], getattr(episode, path)) for path in (TERMINATIONS, TRUNCATIONS))
        if not agrees:
            message = f"the {self.name} adapter delivers other flags than h5py"
            findings.add("error", f"{name}/{TERMINATIONS}", f"{self.name}/flags", message)

    def _compare_successors(
        self,
        name: str,
        raw: Mapping[str, Any],
        episode: Any,  # noqa: ANN401 - the learner's own episode
        findings: Findings,
    ) -> None:
        """Compare the first, a middle and the last transition that the learner's own picker makes."""
        observations = raw.get("observations")
        if not isinstance(observations, np.ndarray):
            return
        count = int(episode.transition_count)
        for step in sorted({0, count // 2, count - 1} & set(range(count))):
            picked = self._result.transition_picker(episode, step)
            ends = bool(raw[TERMINATIONS][-1]) and step == len(raw[REWARDS]) - 1
            agrees = _alike(observations[step : step + 1], picked.observation) and (
                ends or _alike(observations[step + 1 : step + 2], picked.next_observation)
            )
            if not agrees:
                message = f"the {self.name} adapter picks another transition than h5py says"
                findings.add("error", f"{name}/observations[{step}]", f"{self.name}/transitions", message)


def _alike(raw: NDArray[Any], found: Any) -> bool:  # noqa: ANN401 - an array of the learner's
    """Whether values agree in the other library's dtype, axes of length one aside."""
    given = np.asarray(found)
    if given.size != raw.size:
        return False
    return same(raw.astype(given.dtype).reshape(given.shape), given)
