"""Scores that can be compared between benchmarks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["normalised_score"]


@overload
def normalised_score(value: float, random: float | None, expert: float | None) -> float: ...
@overload
def normalised_score(
    value: NDArray[Any], random: float | None, expert: float | None
) -> NDArray[np.float64]: ...


def normalised_score(
    value: float | NDArray[Any], random: float | None, expert: float | None
) -> float | NDArray[np.float64]:
    """Return returns on the scale on which a random policy has 0 and the expert 100.

    ``100 · (value - random) / (expert - random)``, as in D4RL (Fu et al. 2020, arXiv:2004.07219, section 6). It is
    linear: the mean of normalised scores is the normalised mean. What is worse than random is below 0, what is
    better than the expert above 100. An expert below random is one whose rewards are costs; the formula holds.

    Args:
        value: an undiscounted return, or an array of them.
        random: mean return of the random policy on the environment.
        expert: mean return of the expert.

    Raises:
        PytupliError: a reference is missing or not finite, or the two are equal.
    """
    missing = [name for name, score in (("random", random), ("expert", expert)) if score is None]
    if random is None or expert is None:
        raise PytupliError(
            f"There is no reference score {' and '.join(missing)} to normalise by.",
            hint="Measure them with evaluate() and keep them in the benchmark's reference_scores.",
        )
    spread = expert - random
    if spread == 0 or not math.isfinite(spread):
        raise PytupliError(
            f"Returns cannot be normalised by the reference scores {random} (random) and {expert} (expert).",
            hint="They have to be finite, and different.",
        )
    if isinstance(value, np.ndarray):
        scores: NDArray[np.float64] = 100.0 * (value.astype(np.float64) - random) / spread
        return scores
    return 100.0 * (float(value) - random) / spread
