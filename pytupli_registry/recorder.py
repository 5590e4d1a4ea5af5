"""Record the finished episodes of an environment, as they were."""

from __future__ import annotations

import copy
import logging
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import gymnasium
import numpy as np

from pytupli_registry.dataset.buffers import InfoBuffer, RowBuffer, row_buffer
from pytupli_registry.dataset.episode import Episode, Scalar
from pytupli_registry.dataset.spaces import from_gymnasium, to_gymnasium
from pytupli_registry.environments.stored import describe_environment
from pytupli_registry.errors import EpisodeError, SpaceError, WriteError
from pytupli_registry.storage.commit import discard
from pytupli_registry.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.storage.writer import DatasetWriter

__all__ = ["EpisodeSink", "Recorder", "StepRecord"]

_LOGGER = logging.getLogger(__name__)


class EpisodeSink(Protocol):
    """Where finished episodes go: a :class:`~pytupli_registry.storage.writer.DatasetWriter`, or anything like it."""

    def add(self, episode: Episode) -> int:
        """Take a finished episode and return its number."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What is recorded of one reset or step, before it is.

    Attributes:
        observation: what the environment returned.
        info: what the environment returned.
        action: what was done; None for the reset.
        reward: what it earned; None for the reset.
    """

    observation: Any
    info: Mapping[str, Any]
    action: Any = None
    reward: float | None = None


@dataclass(slots=True)
class _Run:
    """The episode that is running; its buffers are used again for the next one."""

    observations: RowBuffer
    actions: RowBuffer
    infos: InfoBuffer | None
    rewards: list[float] = field(default_factory=list)
    seed: int | None = None
    options: Mapping[str, Any] | None = None
    policy: str | None = None

    def start(self, record: StepRecord) -> None:
        self.rewards = []
        self.observations.put(0, record.observation)
        if self.infos is not None:
            self.infos.clear()
            self.infos.put(0, record.info)

    def end_step(self, observation: Any, reward: float, info: Mapping[str, Any]) -> None:  # noqa: ANN401
        self.rewards.append(reward)
        row = len(self.rewards)
        self.observations.put(row, observation)
        if info and self.infos is not None:
            self.infos.put(row, info)

    def episode(self, *, terminated: bool, truncated: bool) -> Episode:
        length = len(self.rewards)
        terminations, truncations = np.zeros(length, dtype=np.bool_), np.zeros(length, dtype=np.bool_)
        terminations[-1], truncations[-1] = terminated, truncated
        return Episode(
            observations=self.observations.take(length + 1),
            actions=self.actions.take(length),
            rewards=np.array(self.rewards, dtype=np.float64),
            terminations=terminations,
            truncations=truncations,
            infos={} if self.infos is None else self.infos.take(length + 1),
            seed=self.seed,
            options=self.options,
        )


class Recorder(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A Gymnasium wrapper that records every finished episode.

    ::

        with Recorder(gymnasium.make("CartPole-v1"), "cartpole/mixed-v0", policy="random") as env:
            for seed in range(100):
                env.reset(seed=seed)
                ...

    An episode is kept when the environment ends it. One that is reset, paused or closed before its end is dropped,
    unless ``keep_aborted`` is set; so is one whose step raises. Values are copied when they are seen, in the dtype
    of their space. A dataset given by id appears when the recorder is closed; leaving the ``with`` block with an
    exception keeps what was recorded as a spool, which ``pytupli recover`` turns into the dataset.

    Attributes:
        policy: the name kept with the episodes that begin from now on.
        episodes_recorded: number of episodes kept so far.
    """

    transparent = True  # a benchmark made of a recorded environment is that of the environment

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        dataset: str | EpisodeSink,
        *,
        policy: str | None = None,
        recorded_by: str | None = None,
        recorded_at: bool = True,
        metadata: Callable[[Episode], Mapping[str, Scalar]] | None = None,
        record_step: Callable[[StepRecord], StepRecord] | None = None,
        observation_space: gymnasium.Space[Any] | None = None,
        action_space: gymnasium.Space[Any] | None = None,
        infos: bool = True,
        keep_aborted: bool = False,
        autoseed: bool = False,
        append: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Wrap an environment.

        Args:
            env: the environment; wrappers below this one shape what is recorded, wrappers above do not.
            dataset: id of a new local dataset, or a writer, which is then left open for whoever made it.
            policy: name of the policy that acts.
            recorded_by: who records.
            recorded_at: keep when each episode ended. Without, the same episodes make the same bytes every time.
            metadata: called with each finished episode; returns the user's own facts about it.
            record_step: called for each reset and step; returns what to record in its place. Flags stay as they are.
            observation_space: of what is recorded, where ``record_step`` changes it; the environment's otherwise.
            action_space: likewise.
            infos: whether infos are recorded.
            keep_aborted: whether an episode that was cut off from outside is kept, as truncated.
            autoseed: draw a seed for a reset that has none, so that every episode can be replayed.
            append: add to the local dataset of that id.
            extra: facts about the dataset (author, description, algorithm_name, …); not with ``append``.

        Raises:
            WriteError: the environment is vectorised or resets itself, so that resets cannot be seen.
            SpaceError: a space cannot be kept in a dataset, or is not that of the one to append to.
            DatasetNotFound: there is nothing to append to.
            DatasetExists: there is a dataset of that id, and ``append`` is not set.
        """
        _check_resets(env)
        super().__init__(env)
        spaces = (
            from_gymnasium(observation_space or env.observation_space),
            from_gymnasium(action_space or env.action_space),
        )
        self.policy = policy
        self.episodes_recorded = 0
        self._facts = {} if recorded_by is None else {"recorded_by": recorded_by}
        self._recorded_at = recorded_at
        self._describe_episode, self._record_step = metadata, record_step
        self._keep_aborted, self._autoseed = keep_aborted, autoseed
        self._recording = True
        self._buffers = _Run(
            row_buffer(spaces[0], "observations"),
            row_buffer(spaces[1], "actions"),
            InfoBuffer() if infos else None,
        )
        self._running: _Run | None = None
        self._owned: DatasetWriter | None = None
        if isinstance(dataset, str):
            self._owned = _open_writer(env, dataset, spaces, append, extra)
            self._sink: EpisodeSink = self._owned
        else:
            self._sink = dataset

    @property
    def recording(self) -> bool:
        """Whether the next episode will be recorded."""
        return self._recording

    def pause(self) -> None:
        """Stop recording; the episode that is running is dropped."""
        self._recording = False
        self._drop("recording was paused")

    def resume(self) -> None:
        """Record again, from the next reset on."""
        self._recording = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and begin an episode."""
        self._abort()
        if seed is None and self._autoseed:
            seed = secrets.randbits(32)
        observation, info = self.env.reset(seed=seed, options=options)
        if self._recording:
            run, record = self._buffers, StepRecord(observation, info)
            run.seed = None if seed is None else int(seed)
            run.options, run.policy = copy.deepcopy(options), self.policy
            run.start(record if self._record_step is None else self._record_step(record))
            self._running = run
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:  # noqa: ANN401
        """Take a step and record it."""
        run, self._running = self._running, None  # whatever raises below leaves no episode behind
        if run is None:
            return self.env.step(action)
        if self._record_step is None:
            run.actions.put(len(run.rewards), action)  # before the step: environments may write into it
            observation, reward, terminated, truncated, info = self.env.step(action)
            run.end_step(observation, float(reward), info)
        else:
            done = copy.deepcopy(action)
            observation, reward, terminated, truncated, info = self.env.step(action)
            self._put_record(run, self._record_step(StepRecord(observation, info, done, float(reward))))
        if terminated or truncated:
            self._keep(run.episode(terminated=bool(terminated), truncated=bool(truncated)), run.policy)
        else:
            self._running = run
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Finish the dataset that was given by id, and close the environment."""
        try:
            self._abort()
            writer, self._owned = self._owned, None
            if writer is not None:
                self._finish(writer)
        finally:
            super().close()  # type: ignore[no-untyped-call]  # Gymnasium's, which has no annotation

    def __exit__(
        self,
        error_type: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if error_type is not None:
            self._running = None
            writer, self._owned = self._owned, None
            if writer is not None and self.episodes_recorded:
                writer.__exit__(error_type, error, traceback)
            elif writer is not None:
                self._finish(writer)
        self.close()

    def _finish(self, writer: DatasetWriter) -> None:
        if self.episodes_recorded:
            writer.finalise()
            return
        _LOGGER.warning("No episode was finished, so there is no dataset %s.", writer.dataset_id)
        writer.close()
        discard(writer.spool)

    def _put_record(self, run: _Run, record: StepRecord) -> None:
        if record.reward is None:
            raise EpisodeError("record_step returned a step without a reward.")
        run.actions.put(len(run.rewards), record.action)
        run.end_step(record.observation, float(record.reward), record.info)

    def _abort(self) -> None:
        run = self._running
        if self._keep_aborted and run is not None and run.rewards:
            self._running = None
            self._keep(run.episode(terminated=False, truncated=True), run.policy)
        else:
            self._drop("it was not finished")

    def _drop(self, reason: str) -> None:
        run, self._running = self._running, None
        if run is not None and run.rewards:
            _LOGGER.info("An episode of %d steps is not recorded: %s.", len(run.rewards), reason)

    def _keep(self, episode: Episode, policy: str | None) -> None:
        metadata = {} if self._describe_episode is None else _scalars(self._describe_episode(episode))
        facts = dict(self._facts)
        if self._recorded_at:
            facts["recorded_at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        if policy is not None:
            facts["policy"] = policy
        self._sink.add(replace(episode, metadata={**metadata, **facts}))
        self.episodes_recorded += 1


def _check_resets(env: object) -> None:
    if not isinstance(env, gymnasium.Env):
        raise WriteError(
            f"A {type(env).__name__} cannot be recorded as one environment.",
            hint="Wrap each environment inside a vector environment in a Recorder of its own; they may share a writer.",
        )
    inner: Any = env
    while isinstance(inner, gymnasium.Wrapper):
        if isinstance(inner, gymnasium.wrappers.Autoreset):
            raise WriteError(
                "An environment that resets itself hides where its episodes begin.",
                hint="Put the Recorder below Autoreset: Autoreset(Recorder(env, …)).",
            )
        inner = inner.env


def _open_writer(
    env: gymnasium.Env[Any, Any],
    dataset_id: str,
    spaces: tuple[dict[str, Any], dict[str, Any]],
    append: bool,
    extra: Mapping[str, Any] | None,
) -> DatasetWriter:
    store = LocalStore.from_environment()
    if append:
        _check_spaces(store.open(dataset_id), spaces)
        return store.append(dataset_id)
    return store.writer(
        dataset_id,
        observation_space=spaces[0],
        action_space=spaces[1],
        env_spec=describe_environment(env),
        extra=extra,
    )


def _check_spaces(dataset: Dataset, spaces: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Check that what will be recorded is of the spaces that the dataset promises its readers."""
    promised = {"observation": dataset.observation_space, "action": dataset.action_space}
    for (name, wanted), given in zip(promised.items(), map(to_gymnasium, spaces), strict=True):
        if wanted != given:
            raise SpaceError(
                f"The {name} space of {dataset.metadata.dataset_id!r} is {wanted!s:.120}, "
                f"that of the environment {given!s:.120}.",
                hint="Record a new dataset, or give the recorder the spaces that fit.",
            )


def _scalars(metadata: Mapping[Any, Any]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for name, value in metadata.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if not isinstance(name, str) or not isinstance(plain, str | int | float | bool):
            raise EpisodeError(
                f"The metadata {name!r} of an episode is a {type(value).__name__}.",
                hint="Keep texts, numbers and booleans by name.",
            )
        found[name] = plain
    return found
