"""A ``minari.MinariDataset`` over PyTupli's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gymnasium.envs.registration import EnvSpec
from minari import MinariDataset
from minari.dataset.minari_dataset import parse_dataset_id

import pytupli_registry
from pytupli_minari.environment import normalised
from pytupli_minari.storage import PytupliStorage
from pytupli_registry.environments.stored import explain_refusal
from pytupli_registry.errors import AdapterError, EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    import gymnasium
    from minari.dataset.episode_data import EpisodeData

    from pytupli_registry import Dataset
    from pytupli_registry.filters.expression import Expression

__all__ = ["PytupliDataset", "compact", "load", "to_minari"]


class PytupliDataset(MinariDataset):  # type: ignore[misc]  # Minari has no types
    """A Minari dataset whose storage is a :class:`~pytupli_minari.storage.PytupliStorage`.

    Everything is Minari's own but for :meth:`recover_environment`, which builds nothing that the data alone names.
    """

    _env_spec: EnvSpec | None
    _eval_env_spec: EnvSpec | None

    def recover_environment(self, eval_env: bool = False, **kwargs: Any) -> gymnasium.Env[Any, Any]:  # noqa: ANN401 - gymnasium.make's
        """Build the environment as Minari does, if the local Gymnasium registry knows the very same one.

        Args:
            eval_env: the environment for evaluation, where the dataset names one.
            **kwargs: further arguments of ``gymnasium.make``.

        Raises:
            EnvironmentRefused: the environment is not registered here, or is registered as something else.
            ValueError: the dataset names no environment (Minari's own error).
        """
        facts = self.storage.dataset.metadata
        if eval_env and self._eval_env_spec is not None:
            self._eval_env_spec = _permitted(facts.extra["eval_env_spec"])
        elif facts.env_spec is not None:
            self._env_spec = _permitted(facts.env_spec)
        env: gymnasium.Env[Any, Any] = super().recover_environment(eval_env, **kwargs)
        return env

    def filter_episodes(self, condition: Callable[[EpisodeData], bool]) -> PytupliDataset:
        """Keep the episodes for which the condition holds; they keep their numbers, as in Minari."""
        kept = super().filter_episodes(condition)
        return PytupliDataset(self.storage, episode_indices=kept.episode_indices)


def to_minari(dataset: Dataset) -> PytupliDataset:
    """Return a dataset as a real ``minari.MinariDataset``, without reading any of its columns.

    Under a step filter each maximal run of kept consecutive steps is an episode: its last observation is the true
    successor of its last step, and that step is truncated unless it terminated.

    Raises:
        AdapterError: Minari does not take the dataset's version or environment specification.
        SpaceError: a space of the dataset cannot be built.
    """
    return _over(PytupliStorage(dataset))


def load(
    reference: str, episodes: Expression | str | None = None, steps: Expression | str | None = None
) -> PytupliDataset:
    """Load a dataset, filtered, as a real ``minari.MinariDataset``.

    Args:
        reference: ``cartpole/mixed-v0``; see :class:`pytupli_registry.references.Reference`.
        episodes: a filter over episode fields, such as ``"total_return >= 100"``.
        steps: a filter over step fields, see :func:`to_minari`.

    Raises:
        DatasetNotFound: there is no such dataset.
        FilterError: a filter is wrong.
        AdapterError: as :func:`to_minari`.
    """
    return to_minari(pytupli_registry.load(reference, episodes=episodes, steps=steps))


def compact(dataset: MinariDataset) -> PytupliDataset:
    """Return the same episodes over a storage that holds no others, numbered from 0.

    ``minari.combine_datasets`` and ``MinariStorage.update_from_storage`` copy whole storages: they ignore what
    ``filter_episodes`` and ``split_dataset`` chose. Compact such a dataset first.

    Raises:
        AdapterError: the dataset was not made by this package.
    """
    if not isinstance(dataset.storage, PytupliStorage):
        raise AdapterError(
            f"The Minari dataset {dataset.id!r} does not lie over PyTupli's columns.",
            hint="Load it with pytupli_minari.load.",
        )
    return _over(dataset.storage.narrowed(dataset.episode_indices))


def _over(storage: PytupliStorage) -> PytupliDataset:
    try:
        parse_dataset_id(
            storage.dataset.metadata.dataset_id
        )  # or `spec` fails later: "a/b-v0" is too short for it
        return PytupliDataset(storage)
    except (ValueError, AssertionError) as error:
        raise AdapterError(
            f"Minari does not take {storage.dataset.metadata.dataset_id!r}: {error!s:.300}",
            hint="The other adapters, such as dataset.to('numpy'), do without Minari.",
        ) from error


def _permitted(env_spec: str) -> EnvSpec:
    text = normalised(env_spec)
    refusal = explain_refusal(text)
    if refusal is not None:
        raise EnvironmentRefused(refusal)
    return EnvSpec.from_json(text)
