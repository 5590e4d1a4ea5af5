"""Whether episodes of one dataset can stand in another: they are of the same spaces, and of the same environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.spaces import same_space
from pytupli_registry.errors import EpisodeError

if TYPE_CHECKING:
    from pytupli_registry.dataset.metadata import DatasetMetadata

__all__ = ["check_alike"]


def check_alike(first: DatasetMetadata, other: DatasetMetadata, *, any_environment: bool = False) -> None:
    """Check that two datasets were recorded in the same environment, as far as they tell.

    Args:
        first: of one dataset.
        other: of the other one.
        any_environment: whether environments of different ids will do, if only the spaces are the same.

    Raises:
        EpisodeError: they were not.
    """
    names = f"{first.dataset_id} and {other.dataset_id}"
    for key in ("observation_space", "action_space"):
        if not same_space(getattr(first, key), getattr(other, key)):
            raise EpisodeError(f"{names} have different spaces: their {key.replace('_', ' ')}s differ.")
    one, two = first.environment_id, other.environment_id
    if one is not None and two is not None and one != two and not any_environment:
        raise EpisodeError(
            f"{names} were recorded in different environments, {one} and {two}.",
            hint="If they may stand together all the same, say so: any_environment=True, `--any-environment`.",
        )
