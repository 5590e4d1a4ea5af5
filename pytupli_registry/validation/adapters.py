"""Whether what other libraries get is what h5py gives.

Nothing of theirs is imported: an adapter's result is taken for d3rlpy's (it has a ``transition_picker``) or for
Minari's (its episodes are reached by index), and compared by what it holds.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, flatten
from pytupli_registry.validation.comparison import same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.validation.report import Findings

__all__ = ["AdapterCheck"]


class AdapterCheck:
    """Compares what one adapter delivers with h5py, episode by episode.

    Attributes:
        name: of the adapter.
    """

    def __init__(self, name: str, dataset: Dataset) -> None:
        """Convert the dataset.

        Raises:
            AdapterError: the adapter is not there or cannot take the dataset.
        """
        self.name = name
        converted = dataset.to(name)
        self._result = converted[0] if isinstance(converted, tuple) else converted
        self._learns = hasattr(self._result, "transition_picker")
        action_space = dataset.metadata.action_space
        discrete = action_space.get("type") == "Discrete"
        self._first_action = int(action_space.get("start", 0)) if discrete else 0

    def compare(self, position: int, name: str, raw: Mapping[str, Any], findings: Findings) -> None:
        """Compare the episode at a position.

        Args:
            position: of the episode, in the dataset and in the adapter's result.
            name: of the episode in the file.
            raw: its leaves as h5py gives them.
            findings: where differences are noted.
        """
        wrong = self._learner_differs(position, raw) if self._learns else self._minari_differs(position, raw)
        for root in wrong:
            if root == "transitions":
                message = f"the {self.name} adapter picks another transition than h5py says"
                findings.add("error", name, f"{self.name}/{root}", message)
            else:
                message = f"the {self.name} adapter delivers other values than h5py"
                findings.add("error", f"{name}/{root}", f"{self.name}/{root}", message)

    def _minari_differs(self, position: int, raw: Mapping[str, Any]) -> list[str]:
        episode = self._result[position]
        wrong = []
        for root in ("observations", "actions", REWARDS, TERMINATIONS, TRUNCATIONS):
            found = flatten(getattr(episode, root), root)
            wanted = {path: values for path, values in raw.items() if path.split("/", 1)[0] == root}
            if found.keys() != wanted.keys() or not all(same(wanted[path], found[path]) for path in wanted):
                wrong.append(root)
        return wrong

    def _learner_differs(self, position: int, raw: Mapping[str, Any]) -> list[str]:
        episode = self._result.episodes[position]
        wrong = []
        if not _agrees(raw, "observations", slice(None, -1), episode.observations):
            wrong.append("observations")
        counted = np.asarray(episode.actions) + self._first_action  # d3rlpy counts discrete actions from 0
        if not _agrees(raw, "actions", slice(None), counted if self._first_action else episode.actions):
            wrong.append("actions")
        if not _alike(raw[REWARDS], episode.rewards):
            wrong.append(REWARDS)
        if bool(episode.terminated) != bool(raw[TERMINATIONS][-1]):
            wrong.append(TERMINATIONS)
        if not all(self._picks_right(episode, step, raw) for step in _sample(int(episode.transition_count))):
            wrong.append("transitions")
        return wrong

    def _picks_right(self, episode: Any, step: int, raw: Mapping[str, Any]) -> bool:  # noqa: ANN401 - d3rlpy's own
        picked = self._result.transition_picker(episode, step)
        ends = bool(raw[TERMINATIONS][-1]) and step == len(raw[REWARDS]) - 1
        if bool(picked.terminal) != ends:
            return False
        if not _agrees(raw, "observations", slice(step, step + 1), picked.observation):
            return False
        # After the end of an episode d3rlpy has zeros, which nobody may read.
        return ends or _agrees(raw, "observations", slice(step + 1, step + 2), picked.next_observation)


def _sample(count: int) -> list[int]:
    """Return the first, a middle and the last of ``count`` steps."""
    return sorted({0, count // 2, count - 1} & set(range(count)))


def _agrees(raw: Mapping[str, Any], root: str, rows: slice, found: Any) -> bool:  # noqa: ANN401 - the learner's
    """Whether the learner's arrays are the leaves below ``root``, one by one or goal joined to observation."""
    leaves = {path: raw[path] for path in sorted(raw, key=_natural) if path.split("/", 1)[0] == root}
    goal = [f"{root}/{part}" for part in ("observation", "desired_goal")]
    parts = list(found) if isinstance(found, list | tuple) else [found]
    if len(parts) == len(leaves):
        return all(_alike(values[rows], part) for values, part in zip(leaves.values(), parts, strict=True))
    if not set(goal) <= leaves.keys():
        return False
    if len(parts) == len(goal):
        return all(_alike(leaves[path][rows], part) for path, part in zip(goal, parts, strict=True))
    joined = [leaves[path][rows].reshape(len(leaves[path][rows]), -1) for path in goal]
    return _alike(np.concatenate(joined, axis=1), parts[0])


def _alike(raw: NDArray[Any], found: Any) -> bool:  # noqa: ANN401
    """Whether values agree in the learner's dtype and layout: axes of one aside, channels first or last."""
    given = np.squeeze(np.asarray(found))
    layouts = [raw, np.moveaxis(raw, -1, 1)] if raw.ndim > 2 else [raw]
    return any(same(np.squeeze(layout).astype(given.dtype), given) for layout in layouts)


@cache
def _natural(path: str) -> list[tuple[int, str]]:
    """Order paths as spaces do: keys by name, elements of a tuple by number."""
    found = []
    for part in path.split("/"):
        number = re.fullmatch(r"_index_(\d{1,9})", part)
        found.append((int(number[1]), "") if number else (0, part))
    return found
