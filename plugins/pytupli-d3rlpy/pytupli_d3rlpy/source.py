"""The columns of a dataset by the names that d3rlpy uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from d3rlpy.dataset import Signature

from pytupli_d3rlpy.reward_sums import RewardSums
from pytupli_d3rlpy.rows import NOTHING, PlainRows, Rows
from pytupli_d3rlpy.steps import StepIndex, TruncatedTail
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    from pytupli_d3rlpy.actions import ActionRule
    from pytupli_d3rlpy.observations import ObservationRule
    from pytupli_registry import Dataset

__all__ = ["Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of the memory map, and which of them are transitions.

    Attributes:
        index: the transitions.
        observations: one entry unless d3rlpy sees a tuple; T+1 rows an episode.
        has_tuple_observations: whether d3rlpy sees a tuple.
        actions: T rows an episode.
        rewards: T rows an episode, of shape (1,).
        reward_sums: what is left to earn.
    """

    index: StepIndex
    observations: tuple[Rows, ...]
    has_tuple_observations: bool
    actions: Rows
    rewards: Rows
    reward_sums: RewardSums

    @classmethod
    def of(
        cls, dataset: Dataset, observations: ObservationRule, actions: ActionRule, tail: TruncatedTail
    ) -> Source:
        """Put the columns of a dataset under d3rlpy's names; nothing is read.

        Raises:
            AdapterError: there is no transition, or a column is not what d3rlpy needs.
        """
        index = StepIndex(dataset, tail)
        if not index.transition_count:
            raise AdapterError(
                f"{dataset.metadata.dataset_id} has no transition to sample.",
                hint="The filters keep none; a truncated episode of one step has none unless truncated_tail='keep'.",
            )
        rewards = dataset.array("rewards", NOTHING)
        if int(np.prod(rewards.shape[1:])) != 1:
            raise AdapterError(f"d3rlpy takes one reward a step, not an array of shape {rewards.shape[1:]}.")
        return cls(
            index=index,
            observations=observations.rows(dataset),
            has_tuple_observations=observations.is_tuple,
            actions=actions.rows(dataset),
            rewards=PlainRows(rewards, (1,)),
            reward_sums=RewardSums(index, np.asarray(rewards).view(np.ndarray).reshape(-1)),
        )

    @property
    def has_views(self) -> bool:
        """Whether the arrays of an episode are views of the memory map, so that holding them costs nothing."""
        return self.index.tail == "drop" and all(
            rows.is_view for rows in (*self.observations, self.actions, self.rewards)
        )

    @property
    def observation_signature(self) -> Signature:
        """Dtypes and shapes of the observations."""
        return _signature(self.observations)

    @property
    def action_signature(self) -> Signature:
        """Dtype and shape of the actions."""
        return _signature((self.actions,))

    @property
    def reward_signature(self) -> Signature:
        """Dtype and shape of the rewards."""
        return _signature((self.rewards,))


def _signature(rows: tuple[Rows, ...]) -> Signature:
    return Signature(dtype=[part.dtype for part in rows], shape=[part.shape for part in rows])
