"""The environment that a dataset was recorded in, where this machine may build it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.benchmarks.home import benchmark_in
from pytupli_registry.benchmarks.reading import FILE_NAME
from pytupli_registry.benchmarks.spaces import same_space
from pytupli_registry.environments.stored import make_environment
from pytupli_registry.errors import ArtifactError, EnvironmentRefused, FormatError, HubError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import gymnasium

    from pytupli_registry.dataset.dataset import Dataset

__all__ = ["environment_of"]

_LOGGER = logging.getLogger(__name__)


def environment_of(
    dataset: Dataset, *, allow: Iterable[str] = (), consent: Iterable[str] = ()
) -> gymnasium.Env[Any, Any] | None:
    """Build the environment of a dataset, or return None where that may not or cannot be done here.

    A dataset that lies in a benchmark's directory or repository, and has its spaces, has the benchmark's environment, built by the
    rules of :meth:`Benchmark.make`. For any other, the environment is the one that its ``metadata.json`` names, which
    is built only if it is registered here.

    Args:
        dataset: filtered or not.
        allow: as in :meth:`Benchmark.make`; it holds for benchmarks only.
        consent: likewise.
    """
    try:
        benchmark = _benchmark_of(dataset)
        if benchmark is None:
            return make_environment(dataset.metadata.env_spec)
        return benchmark.make(allow=allow, consent=consent)
    except EnvironmentRefused as refusal:
        _LOGGER.info("No environment for %s: %s", dataset.metadata.dataset_id, refusal)
    except (
        ArtifactError,
        FormatError,
        HubError,
    ) as error:  # the data is still good to filter and to train on
        _LOGGER.warning("The benchmark around %s cannot be used: %s", dataset.metadata.dataset_id, error)
    return None


def _benchmark_of(dataset: Dataset) -> Benchmark | None:
    benchmark = _benchmark_beside(dataset)
    if benchmark is None:
        return None
    told, metadata = benchmark.specification.environment, dataset.metadata
    fits = same_space(told.observation_space, metadata.observation_space) and same_space(
        told.action_space, metadata.action_space
    )
    return benchmark if fits else None


def _benchmark_beside(dataset: Dataset) -> Benchmark | None:
    if dataset.origin is None:
        directory = Path(dataset.source).parent.parent
        return Benchmark.load(directory) if (directory / FILE_NAME).is_file() else None
    from pytupli_registry.hub.snapshots import Hub  # noqa: PLC0415 - local ones must not cost the Hub's client

    copy = benchmark_in(Hub(dataset.origin.endpoint).snapshot(dataset.origin.repo, dataset.origin.commit))
    return None if copy is None else Benchmark.of(copy)
