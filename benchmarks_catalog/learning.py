"""What training and baselines share: d3rlpy's algorithms by name, quiet, and the same every time."""

from __future__ import annotations

import dataclasses
import logging
import random
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytupli_registry.errors import AdapterError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["algorithm", "import_d3rlpy", "is_discrete", "reproducible"]

_FILTERS = [[8, 3, 3]]  # channels, kernel, stride; deeper ones learn the catalog's small images no better


def import_d3rlpy() -> Any:  # noqa: ANN401 - the module
    """Import d3rlpy.

    Raises:
        AdapterError: it is not installed.
    """
    try:
        return import_module("d3rlpy")
    except ImportError as error:
        raise AdapterError(
            f"Training needs d3rlpy, which cannot be imported: {error!s:.120}.",
            hint="pip install pytupli-d3rlpy",
        ) from error


def algorithm(
    name: str,
    settings: Mapping[str, Any],
    hidden_units: Sequence[int],
    *,
    observations: Literal["plain", "standardised", "pixels"] = "plain",
) -> Any:  # noqa: ANN401 - d3rlpy ships no types
    """Return an algorithm of d3rlpy.

    Every network gets the same hidden layers; continuous actions are scaled to the bounds of their space.

    Args:
        name: d3rlpy's, ``DQN``.
        settings: of its configuration.
        hidden_units: width of each hidden layer; of the last alone for images, after a small convolution.
        observations: whether they are images, or numbers to be brought to mean 0 and deviation 1 by the data.

    Raises:
        AdapterError: d3rlpy has no such algorithm, or it has no such setting.
    """
    d3rlpy = import_d3rlpy()
    known = [found.removesuffix("Config") for found in dir(d3rlpy.algos) if found.endswith("Config")]
    if name not in known:
        raise AdapterError(f"d3rlpy has no algorithm {name!r}.", hint=did_you_mean(name, known))
    config = getattr(d3rlpy.algos, f"{name}Config")
    fields = {field.name for field in dataclasses.fields(config)}
    for setting in settings.keys() - fields:
        raise AdapterError(f"{name} has no setting {setting!r}.", hint=did_you_mean(setting, fields))
    models = d3rlpy.models
    encoder = (
        models.PixelEncoderFactory(filters=_FILTERS, feature_size=hidden_units[-1])
        if observations == "pixels"
        else models.VectorEncoderFactory(list(hidden_units))
    )
    chosen: dict[str, Any] = {field: encoder for field in fields if field.endswith("encoder_factory")}
    scalers = d3rlpy.preprocessing
    if observations == "pixels":
        chosen["observation_scaler"] = scalers.PixelObservationScaler()
    elif observations == "standardised":
        chosen["observation_scaler"] = scalers.StandardObservationScaler()
    if not is_discrete(name):
        chosen["action_scaler"] = scalers.MinMaxActionScaler()
    return config(**{**chosen, **settings}).create(device="cpu:0")


def is_discrete(name: str) -> bool:
    """Whether an algorithm of d3rlpy is for discrete actions."""
    return name.startswith("Discrete") or name in {"DQN", "DoubleDQN", "NFQ"}


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed everything that d3rlpy draws from, use one thread, and keep it quiet; afterwards all is as it was."""
    import structlog  # noqa: PLC0415 - d3rlpy brings both
    import torch  # noqa: PLC0415

    d3rlpy = import_d3rlpy()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - d3rlpy uses it
    threads, said = torch.get_num_threads(), structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    torch.set_num_threads(1)
    d3rlpy.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        torch.set_num_threads(threads)
        structlog.configure(**said)
