"""Whether the dataset gives the values that h5py gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.dataset.transitions import Transitions
    from pytupli_registry.validation.report import Findings

__all__ = ["compare_episode", "compare_transitions", "same"]


def same(first: Any, second: Any) -> bool:  # noqa: ANN401 - arrays or lists of str
    """Whether two leaves hold the same values, NaN being equal to NaN."""
    left, right = np.asarray(first), np.asarray(second)
    if left.shape != right.shape:
        return False
    if left.dtype == right.dtype and left.dtype.kind != "O" and left.tobytes() == right.tobytes():
        return True  # the usual case, at a tenth of the cost of the others
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
