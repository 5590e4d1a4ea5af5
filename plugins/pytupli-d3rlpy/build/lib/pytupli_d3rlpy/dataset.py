"""A d3rlpy dataset over the memory map."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from d3rlpy.dataset import (
    BasicTrajectorySlicer,
    BasicTransitionPicker,
    BasicWriterPreprocess,
    DatasetInfo,
    ExperienceWriter,
    MDPDataset,
    TrajectoryMiniBatch,
    TrajectorySlicerProtocol,
    TransitionMiniBatch,
    TransitionPickerProtocol,
)

from pytupli_d3rlpy.buffer import MappedBuffer
from pytupli_d3rlpy.trajectories import can_slice, slice_batch
from pytupli_d3rlpy.transitions import can_gather, gather_batch

if TYPE_CHECKING:
    from pytupli_d3rlpy.actions import ActionRule
    from pytupli_d3rlpy.source import Source

__all__ = ["MappedDataset"]


class MappedDataset(MDPDataset):  # type: ignore[misc]  # d3rlpy ships no types
    """An ``MDPDataset`` that copies nothing: it samples from the columns of a PyTupli dataset.

    Batches are drawn from NumPy's global generator, as d3rlpy draws them, and are bit-identical to those of a
    stock ``ReplayBuffer`` that holds the same transitions. Appended experience stays in memory and is sampled
    together with the rest.
    """

    def __init__(
        self,
        source: Source,
        actions: ActionRule,
        transition_picker: TransitionPickerProtocol | None = None,
        trajectory_slicer: TrajectorySlicerProtocol | None = None,
    ) -> None:
        # MDPDataset's own __init__ would copy every transition into Python objects.
        self._source = source
        self._buffer = MappedBuffer(source)
        self._transition_picker = transition_picker or BasicTransitionPicker()
        self._trajectory_slicer = trajectory_slicer or BasicTrajectorySlicer()
        self._dataset_info = DatasetInfo(
            observation_signature=source.observation_signature,
            action_signature=source.action_signature,
            reward_signature=source.reward_signature,
            action_space=actions.kind,
            action_size=actions.size,
        )

    def sample_transition_batch(self, batch_size: int) -> TransitionMiniBatch:
        """Sample a mini-batch of transitions; ``transitions`` of the result are made when they are read."""
        if not can_gather(self._transition_picker):
            return super().sample_transition_batch(batch_size)
        numbers = np.random.randint(self.transition_count, size=batch_size)  # noqa: NPY002 - d3rlpy's own stream
        return gather_batch(self._buffer, self._transition_picker, numbers)

    def sample_trajectory_batch(self, batch_size: int, length: int) -> TrajectoryMiniBatch:
        """Sample a mini-batch of trajectories of ``length`` steps."""
        if not can_slice(self._trajectory_slicer, self._source) or self._has_appended():
            return super().sample_trajectory_batch(batch_size, length)
        numbers = np.random.randint(self.transition_count, size=batch_size)  # noqa: NPY002
        return slice_batch(self._source, self._trajectory_slicer, numbers, length)

    def _has_appended(self) -> bool:
        return self._buffer.transition_count > self._buffer.mapped_count

    @cached_property
    def _writer(self) -> ExperienceWriter:
        """Writer of online experience: it reserves memory for an episode, so it waits for the first step."""
        drawn = np.random.get_state()  # noqa: NPY002 - d3rlpy draws samples from the signatures
        writer = ExperienceWriter(
            self._buffer,
            BasicWriterPreprocess(),
            observation_signature=self._dataset_info.observation_signature,
            action_signature=self._dataset_info.action_signature,
            reward_signature=self._dataset_info.reward_signature,
        )
        np.random.set_state(drawn)  # noqa: NPY002
        return writer
