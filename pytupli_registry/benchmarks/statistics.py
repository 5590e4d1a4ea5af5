"""Aggregates of returns and scores, with intervals that say how sure they are.

After Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv:2108.13264):
the interquartile mean instead of the median or the mean alone, percentile intervals of a stratified bootstrap instead
of point estimates. The paper's library is rliable; this computes the same without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Estimate",
    "Statistics",
    "bootstrap",
    "describe",
    "interquartile_mean",
    "interval",
    "probability_of_improvement",
]

CONFIDENCE = 0.95
LARGEST = 1e150  # its square is a number too
RESAMPLES = 10_000
_CHUNK = 1 << 21  # scores that are resampled at once


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(_Figures):
    """A figure, and the 95 % interval that the bootstrap gives for it.

    Attributes:
        value: computed from the scores themselves.
        low: 2.5th percentile of the figure over the resamples.
        high: 97.5th percentile.
    """

    value: float
    low: float
    high: float


class Statistics(_Figures):
    """What some scores come to.

    Attributes:
        mean: with its interval.
        median: of all scores together, with its interval.
        iqm: the interquartile mean, with its interval.
        std: standard deviation of the scores (divided by their number, as numpy does).
        minimum: of the scores.
        maximum: of the scores.
        count: how many scores there are.
    """

    mean: Estimate
    median: Estimate
    iqm: Estimate
    std: Annotated[float, Field(ge=0)]
    minimum: float
    maximum: float
    count: Annotated[int, Field(ge=1)]


def interquartile_mean(scores: ArrayLike, axis: int | None = None) -> Any:  # noqa: ANN401 - a float, or an array
    """Return the mean of the middle half: ``scipy.stats.trim_mean(scores, 0.25, axis)``.

    ``int(n / 4)`` of the smallest and as many of the largest are left out, so up to three scores give their mean.

    Args:
        scores: at least one along the axis.
        axis: along which; None takes all scores together.
    """
    values = np.asarray(scores, dtype=np.float64)
    values, along = (values.ravel(), 0) if axis is None else (values, axis)
    count = values.shape[along]
    cut = count // 4
    ordered = np.partition(values, (cut, count - cut - 1), axis=along)
    middle = np.take(ordered, range(cut, count - cut), axis=along).mean(axis=along)
    return float(middle) if axis is None else middle


def describe(scores: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> Statistics:
    """Compute every figure of some scores.

    Args:
        scores: of one stratum, or of runs × strata, see :func:`bootstrap`.  # (n,) or (n, m)
        seed: of the resampling; the same scores and seed give the same figures on the same version of numpy.
        resamples: how many.

    Raises:
        PytupliError: there are no scores, or some are not finite (or above 1e150).
    """
    matrix = _matrix(scores)
    resampled = bootstrap(matrix, _three, seed=seed, resamples=resamples)
    values = _three(matrix.reshape(1, -1))[0]
    figures = [_estimate(value, drawn) for value, drawn in zip(values, resampled.T, strict=True)]
    return Statistics(
        mean=figures[0],
        median=figures[1],
        iqm=figures[2],
        std=float(matrix.std()),
        minimum=float(matrix.min()),
        maximum=float(matrix.max()),
        count=matrix.size,
    )


def interval(
    scores: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Compute one figure with its interval.

    Args:
        scores: see :func:`bootstrap`.
        statistic: of each row of an array.  # (k, size) -> (k,)
        seed: of the resampling.
        resamples: how many.

    Raises:
        PytupliError: there are no scores, or some are not finite (or above 1e150).
    """
    matrix = _matrix(scores)
    drawn = bootstrap(matrix, statistic, seed=seed, resamples=resamples)
    return _estimate(statistic(matrix.reshape(1, -1))[0], drawn)


def bootstrap(
    scores: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> NDArray[np.float64]:
    """Compute a figure of many resamples.

    A resample draws, within each stratum and apart from the others, as many scores as it has, with replacement. Strata
    are what was chosen and not drawn: tasks, whose runs are drawn. A vector is one stratum.

    Args:
        scores: runs × strata.  # (n,) or (n, m)
        statistic: of each row of an array: a number, or several.  # (k, size) -> (k,) or (k, figures)
        seed: of ``numpy.random.default_rng``, which draws row numbers resample by resample, run by run.
        resamples: how many.

    Returns:
        the figure of each resample.  # (resamples,) or (resamples, figures)

    Raises:
        PytupliError: there are no scores, or some are not finite (or above 1e150).
    """
    matrix = _matrix(scores)
    return np.concatenate([statistic(drawn) for drawn in _resamples(matrix, seed, resamples)])


def probability_of_improvement(
    first: ArrayLike, second: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """Estimate how likely a run of the first algorithm scores more than one of the second, on a stratum drawn at random.

    Within a stratum that is the share of pairs in which the first scores more, ties counting half (the Mann-Whitney
    statistic over the number of pairs); strata are averaged. Equation in section 4.3 of arXiv:2108.13264.

    Args:
        first: runs × strata.  # (n,) or (n, m)
        second: likewise, of the same strata.  # (n',) or (n', m)
        seed: of the resampling; both are resampled.
        resamples: how many.

    Raises:
        PytupliError: there are no scores, some are not finite, or the numbers of strata differ.
    """
    left, right = _matrix(first), _matrix(second)
    if left.shape[1] != right.shape[1]:
        raise PytupliError(
            f"Scores of {left.shape[1]} tasks cannot be compared with those of {right.shape[1]}."
        )
    pairs = zip(
        _resamples(left, seed, resamples, right.size),
        _resamples(right, seed + 1, resamples, left.size),
        strict=True,
    )
    drawn = np.concatenate(
        [_improvement(one.reshape(-1, *left.shape), other.reshape(-1, *right.shape)) for one, other in pairs]
    )
    return _estimate(_improvement(left[None], right[None])[0], drawn)


def _improvement(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability for each resample.  # (k, n, m), (k, n', m) -> (k,)"""  # noqa: D415
    above = first[:, :, None] > second[:, None]
    equal = first[:, :, None] == second[:, None]
    found: NDArray[np.float64] = (above + 0.5 * equal).mean(axis=(1, 2, 3))
    return found


def _resamples(
    matrix: NDArray[np.float64], seed: int, resamples: int, width: int = 1
) -> Iterator[NDArray[np.float64]]:
    """Yield resamples, as many at once as fit into memory.  # (k, n · m)"""  # noqa: D415
    generator = np.random.default_rng(seed)
    runs, strata = matrix.shape
    at_once = max(_CHUNK // (matrix.size * width), 1)
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        rows = generator.integers(0, runs, size=(count, runs, strata))
        yield matrix[rows, np.arange(strata)].reshape(count, -1)


def _three(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([rows.mean(axis=1), np.median(rows, axis=1), interquartile_mean(rows, axis=1)], axis=1)


def _estimate(value: Any, resampled: NDArray[np.float64]) -> Estimate:  # noqa: ANN401 - a numpy scalar
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Estimate(value=float(value), low=float(low), high=float(high))


def _matrix(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    matrix = values.reshape(-1, 1) if values.ndim == 1 else values
    if matrix.ndim != 2 or matrix.size == 0:
        raise PytupliError(f"Scores are a vector or a matrix with at least one of them, not {values.shape}.")
    if not (np.abs(matrix) <= LARGEST).all():
        raise PytupliError("Some scores are not finite, or so large that there is no mean of them.")
    return matrix
