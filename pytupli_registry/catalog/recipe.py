"""``benchmark.toml``: how a catalog's benchmark is made, as data.

A recipe names an environment, the policies that act in it, and which of them record which dataset from which seeds.
Reading one imports nothing that it names.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from pytupli_registry.benchmarks.specification import (
    Arguments,
    Count,
    DatasetName,
    EntryPoint,
    EnvironmentId,
    EvaluationProtocol,
    Name,
    Number,
    Requirement,
    Short,
    Text,
)
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "FILE_NAME",
    "RANDOM",
    "BaselineRecipe",
    "CheckpointRecipe",
    "DatasetRecipe",
    "EnvironmentRecipe",
    "PolicyRecipe",
    "Recipe",
    "TrainingRecipe",
    "WrapperRecipe",
    "read_recipe",
]

FILE_NAME = "benchmark.toml"
RANDOM = "random"

_SHOWN_PROBLEMS = 10
_SHARES_TOLERANCE = 1e-6

Share = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[int, Field(ge=1, le=10_000_000)]
Layers = Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1, max_length=8)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WrapperRecipe(_Part):
    """A wrapper around the environment.

    Attributes:
        entry_point: ``package.module:Class``.
        arguments: of the class, beside the environment.
    """

    entry_point: EntryPoint
    arguments: Arguments = {}


class EnvironmentRecipe(_Part):
    """The environment of a benchmark.

    Attributes:
        id: as Gymnasium registers it.
        arguments: of the environment; ``{ file = "artifacts/wind.csv" }`` is the path of a file beside the recipe.
        max_episode_steps: a time limit other than the registered one.
        wrappers: around it, the innermost first.
    """

    id: EnvironmentId
    arguments: Arguments = {}
    max_episode_steps: Positive | None = None
    wrappers: tuple[WrapperRecipe, ...] = ()


class TrainingRecipe(_Part):
    """Online training in the environment itself.

    Attributes:
        algorithm: d3rlpy's name for it, ``DQN`` or ``SAC``.
        steps: number of environment steps.
        seed: of the weights, of the exploration, and of the first episode; episode i is reset with ``seed + i``.
        hidden_units: width of each hidden layer of every network.
        settings: of the algorithm's configuration in d3rlpy.
        exploration: for discrete actions, the probability of a random one: it falls from ``start`` to ``end`` in
            ``steps`` steps. For continuous ones, ``std`` of the noise; without it a stochastic policy explores.
        random_steps: number of steps before the policy is asked.
        update_start: number of steps before the first update.
        update_interval: number of steps between updates.
        updates: how many there are each time.
    """

    algorithm: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
    steps: Positive
    seed: Seed = 0
    hidden_units: Layers = (64, 64)
    settings: Arguments = {}
    exploration: dict[Literal["start", "end", "steps", "std"], Annotated[Number, Field(ge=0)]] = {}
    random_steps: Count = 0
    update_start: Count = 0
    update_interval: Positive = 1
    updates: Positive = 1


class CheckpointRecipe(_Part):
    """What another policy was at a step of its training.

    Attributes:
        of: the policy that is trained.
        step: after how many of its steps.
    """

    of: Name
    step: Positive


class PolicyRecipe(_Part):
    """A policy: exactly one of a documented controller, online training, a checkpoint of it, or a noisier other policy.

    Attributes:
        controller: ``package.module:name``; an observation in, an action out, or what makes such a function.
        arguments: of the controller, by name.
        train: how d3rlpy trains it.
        checkpoint: of another policy's training.
        like: another policy of this recipe.
        epsilon: with this probability, a step's action is a random one instead.
        description: what it does, for the card and the reference scores.
    """

    controller: EntryPoint | None = None
    arguments: Arguments = {}
    train: TrainingRecipe | None = None
    checkpoint: CheckpointRecipe | None = None
    like: Name | None = None
    epsilon: Annotated[float, Field(ge=0, le=1)] = 0.0
    description: Text = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        ways = (self.controller, self.train, self.checkpoint, self.like)
        if sum(given is not None for given in ways) != 1:
            raise ValueError("give exactly one of 'controller', 'train', 'checkpoint' and 'like'")
        if self.arguments and self.controller is None:
            raise ValueError("'arguments' are those of a controller, and there is none")
        return self


class DatasetRecipe(_Part):
    """How one dataset is recorded.

    Attributes:
        description: what it holds, and what it is for.
        episodes: how many; None with ``replay``, which keeps all that were finished.
        seed: of the first episode; episode i is reset with ``seed + i``.
        policies: share of the episodes by policy; ``random`` is always there. They take turns.
        replay: instead, a trained policy: the dataset is the experience it was trained on.
        options: of the resets; each policy goes through them in turn, and numbers and texts among them are kept as
            metadata of the episode too.
        metadata: kept with every episode.
    """

    description: Text
    episodes: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    seed: Seed = 0
    policies: dict[Name, Share] = {}
    replay: Name | None = None
    options: tuple[dict[str, JsonValue], ...] = ()
    metadata: dict[Name, str | int | float | bool] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.replay is None) != bool(self.policies):
            raise ValueError("give either 'policies' or 'replay'")
        if self.replay is not None and (self.episodes is not None or self.options or self.seed):
            raise ValueError("a replay has the episodes, seeds and options of its training")
        if self.replay is None and self.episodes is None:
            raise ValueError("say how many 'episodes' there are")
        if self.policies and not math.isclose(sum(self.policies.values()), 1, abs_tol=_SHARES_TOLERANCE):
            raise ValueError(f"the shares of the policies add up to {sum(self.policies.values()):g}, not 1")
        return self


class BaselineRecipe(_Part):
    """The offline algorithms whose scores stand in the card.

    Attributes:
        datasets: which they are trained on.
        algorithms: settings of each in d3rlpy, by its name there.
        steps: number of updates.
        seeds: one training run each.
        batch_size: transitions in an update.
        hidden_units: width of each hidden layer of every network.
    """

    datasets: Annotated[tuple[DatasetName, ...], Field(min_length=1)]
    algorithms: Annotated[dict[Name, Arguments], Field(min_length=1)]
    steps: Positive = 1000
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0, 1, 2)
    batch_size: Positive = 64
    hidden_units: Layers = (64, 64)


class Recipe(_Part):
    """Everything ``benchmark.toml`` says.

    Attributes:
        name: of the benchmark, and of the recipe's directory.
        title: in a few words.
        description: what it is good for.
        difficulty: ``easy``, ``medium`` or ``hard``.
        version: of the benchmark.
        tags: words to find it by.
        metadata: anything else, as JSON.
        licence: of environment and data.
        authors: of the environment.
        citation: BibTeX, or a sentence.
        source: permalink of the environment's code.
        requirements: what has to be installed to build the environment, as pip takes it.
        extra: the extra of pytupli-registry that installs it.
        environment: what is played.
        evaluation: how policies are scored.
        references: the policies whose measured scores are 0 and 100 %, ``random`` and ``expert``.
        policies: by name.
        datasets: by name.
        baselines: which scores the card shows.
    """

    name: Name
    title: Short
    description: Text
    difficulty: Literal["easy", "medium", "hard"]
    version: Short = "1"
    tags: tuple[Short, ...] = ()
    metadata: Arguments = {}
    licence: Short | None = None
    authors: tuple[Short, ...] = ()
    citation: Text = ""
    source: Short | None = None
    requirements: tuple[Short, ...] = ()
    extra: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    environment: EnvironmentRecipe
    evaluation: EvaluationProtocol = EvaluationProtocol()
    references: dict[Name, Name] = {RANDOM: RANDOM, "expert": "expert"}
    policies: dict[Name, PolicyRecipe] = {}
    datasets: Annotated[dict[DatasetName, DatasetRecipe], Field(min_length=1)]
    baselines: BaselineRecipe | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if RANDOM in self.policies:
            raise ValueError(f"policies.{RANDOM}: the random policy is always there and cannot be another")
        for requirement in self.requirements:
            Requirement(requirement=requirement)
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        for place, policy in self._named_policies():
            if policy not in self.policies and (policy != RANDOM or place.endswith((".replay", ".of"))):
                yield f"{place}: there is no policy {policy!r} in this recipe"
        for name in self.policies:
            if self._goes_round(name):
                yield f"policies.{name}: it is like itself"
        yield from self._training_problems()
        for name in self.baselines.datasets if self.baselines else ():
            if name not in self.datasets:
                yield f"baselines.datasets: there is no dataset {name!r} in this recipe"

    def _training_problems(self) -> Iterator[str]:
        for name, dataset in self.datasets.items():
            if dataset.replay is not None and self.policies[dataset.replay].train is None:
                yield f"datasets.{name}.replay: the policy {dataset.replay!r} is not trained"
        for name, policy in self.policies.items():
            if policy.checkpoint is None:
                continue
            training = self.policies[policy.checkpoint.of].train
            if training is None or policy.checkpoint.step > training.steps:
                yield f"policies.{name}.checkpoint: {policy.checkpoint.of!r} is not trained for that many steps"

    def _named_policies(self) -> Iterator[tuple[str, str]]:
        for name, policy in self.references.items():
            yield f"references.{name}", policy
        for name, made in self.policies.items():
            if made.like is not None:
                yield f"policies.{name}.like", made.like
            if made.checkpoint is not None:
                yield f"policies.{name}.checkpoint.of", made.checkpoint.of
        for name, dataset in self.datasets.items():
            yield from ((f"datasets.{name}.policies", policy) for policy in dataset.policies)
            if dataset.replay is not None:
                yield f"datasets.{name}.replay", dataset.replay

    def _goes_round(self, name: str) -> bool:
        seen: set[str] = set()
        following: str | None = name
        while following is not None and following != RANDOM:
            if following in seen:
                return True
            seen.add(following)
            following = self.policies[following].like
        return False

    @property
    def needs_training(self) -> bool:
        """Whether making the benchmark takes d3rlpy."""
        return any(policy.train is not None for policy in self.policies.values())


def read_recipe(directory: Path) -> Recipe:
    """Read the ``benchmark.toml`` of a directory.

    Raises:
        FormatError: it is missing, is not TOML, or says what a recipe cannot say; the message lists every problem.
    """
    path = directory / FILE_NAME
    try:
        loaded = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(path, f"it cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(path, f"it is not TOML ({error!s:.200})") from error
    try:
        recipe = Recipe.model_validate(loaded)
    except ValidationError as error:
        raise _told(error, path) from error
    _check_directory(recipe, directory, path)
    return recipe


def _check_directory(recipe: Recipe, directory: Path, path: Path) -> None:
    if recipe.name != directory.name:
        raise FormatError(
            path, f"it is {recipe.name!r} in a directory named {directory.name!r}", where="name"
        )
    for file in files_of(recipe.environment.arguments):
        parts = PurePosixPath(file).parts
        if ".." in parts or PurePosixPath(file).is_absolute() or not (directory / file).is_file():
            raise FormatError(
                path, f"there is no file {file!r:.120} in its directory", where="environment.arguments"
            )


def files_of(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files that arguments name."""
    waiting: list[Any] = list(arguments.values())
    while waiting:
        value = waiting.pop()
        if is_file(value):
            yield value["file"]
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def is_file(value: object) -> bool:
    """Whether an argument stands for a file beside the recipe."""
    return isinstance(value, dict) and value.keys() == {"file"} and isinstance(value["file"], str)


def _told(error: ValidationError, path: Path) -> FormatError:
    problems = error.errors(include_url=False, include_input=False)
    told = [
        f"{_place(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        for problem in problems[:_SHOWN_PROBLEMS]
    ]
    if len(problems) > _SHOWN_PROBLEMS:
        told.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return FormatError(path, "; ".join(told))


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(f"{part!s:.60}" for part in location)
