"""``benchmark.json``: a benchmark as plain data, and the JSON Schema of it.

Reading it checks everything and builds nothing: no name in it is imported, no path in it is opened. Every path is
made here from a checked file name and a hash.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from pytupli_registry.benchmarks.spaces import expanded
from pytupli_registry.dataset.spaces import leaf_spaces
from pytupli_registry.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "FORMAT_VERSION",
    "ArtifactEntry",
    "BenchmarkSpecification",
    "DatasetEntry",
    "EnvironmentEntry",
    "EvaluationProtocol",
    "PolicyEntry",
    "ReferenceScore",
    "Requirement",
    "Rollouts",
    "WrapperEntry",
]

FORMAT_VERSION: Literal[1] = 1

_SHORT, _LONG = 200, 20_000
_MAX_ENTRIES = 1000


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("it must be finite")
    return value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that cannot be printed")
    return text


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,95}$")]
DatasetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,88}-v[0-9]{1,6}$")]
# A plain file name: no separator, not hidden, nothing that Windows or a shell would read differently.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# "package.module:Class.method", as Gymnasium writes entry points.
EntryPoint = Annotated[
    str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", max_length=_SHORT)
]
EnvironmentId = Annotated[str, Field(pattern=r"^([\w.-]+/)?[\w.-]+?(-v\d+)?$", max_length=_SHORT)]
Short = Annotated[str, Field(max_length=_SHORT), AfterValidator(_printable)]
Text = Annotated[str, Field(max_length=_LONG)]
Number = Annotated[float, AfterValidator(_finite)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Arguments = Annotated[dict[str, JsonValue], Field(max_length=_MAX_ENTRIES)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WrapperEntry(_Entry):
    """A wrapper around the environment, the innermost first in a list of them.

    Attributes:
        name: Gymnasium's name for it, the class's own.
        entry_point: ``package.module:Class``.
        kwargs: arguments, as :mod:`pytupli_registry.benchmarks.arguments` encodes them.
    """

    name: Short
    entry_point: EntryPoint
    kwargs: Arguments = {}


class EnvironmentEntry(_Entry):
    """Gymnasium's ``EnvSpec`` as data, and the spaces of the environment it builds.

    ``entry_point`` is None where the owner shares the interface only; ``kwargs`` and ``wrappers`` are empty then.

    Attributes:
        id: Gymnasium's id.
        entry_point: ``package.module:Class``.
        kwargs: arguments of the constructor, as :mod:`pytupli_registry.benchmarks.arguments` encodes them.
        max_episode_steps: the time limit, in steps.
        reward_threshold: the mean return at which the task counts as solved.
        nondeterministic: whether the same seed and actions may lead elsewhere.
        order_enforce: whether a step before the reset is an error.
        wrappers: what is around it, the innermost first.
        observation_space: of the wrapped environment, in Minari's JSON; a bound that is the same everywhere may be
            one number, and infinity is the text ``"Infinity"`` or ``"-Infinity"``.
        action_space: likewise.
    """

    id: EnvironmentId
    entry_point: EntryPoint | None
    kwargs: Arguments = {}
    max_episode_steps: Annotated[int, Field(ge=1, le=2**53)] | None = None
    reward_threshold: Number | None = None
    nondeterministic: bool = False
    order_enforce: bool = True
    wrappers: Annotated[tuple[WrapperEntry, ...], Field(max_length=100)] = ()
    observation_space: dict[str, JsonValue]
    action_space: dict[str, JsonValue]

    @model_validator(mode="after")
    def _check(self) -> EnvironmentEntry:
        for name, space in (("observations", self.observation_space), ("actions", self.action_space)):
            try:
                leaf_spaces(expanded(space), name)
            except SpaceError as error:
                raise ValueError(error.message) from error
        if self.entry_point is None and (self.kwargs or self.wrappers):
            raise ValueError("an environment without an entry point has neither arguments nor wrappers")
        return self


class ArtifactEntry(_Entry):
    """A file that the environment, a policy or a check needs, addressed by its hash.

    Attributes:
        sha256: of the file, in hexadecimal.
        size: of the file, in bytes.
        codec: the name of the codec that reads it back: ``file``, ``table``, ``array``, ``json``, ``code``, ….
        file_name: its name within ``artifacts/<first 16 digits of sha256>/``.
        details: what the codec has to know beside the bytes.
        description: what it is.
        licence: its own licence, where it differs from the benchmark's.
        source: where it comes from.
    """

    sha256: Sha256
    size: Count
    codec: Name
    file_name: FileName
    details: Arguments = {}
    description: Text = ""
    licence: Short | None = None
    source: Short | None = None

    @property
    def path(self) -> str:
        """Where it lies in the benchmark's directory."""
        return f"artifacts/{self.sha256[:16]}/{self.file_name}"


class Requirement(_Entry):
    """A distribution that provides the entry point, a wrapper, or what they need.

    Attributes:
        requirement: as pip takes it, by name only: ``gymnasium[box2d]>=1.0``; no URL, no option.
        recorded: the version that was installed where the benchmark was made.
    """

    requirement: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]+\])?( ?[<>=!~]=?[A-Za-z0-9.*+!,<>=~ ]+)?$"
        ),
    ]
    recorded: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+!_-]{1,64}$")] | None = None


class EvaluationProtocol(_Entry):
    """How policies are scored on this benchmark.

    Attributes:
        episodes: number of episodes; episode i is reset with ``seed + i``.
        seed: of the first episode.
        discount: factor of the discounted return, which is reported beside the plain one.
    """

    episodes: Annotated[int, Field(ge=1, le=100_000)] = 20
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 10_000
    discount: Annotated[float, Field(gt=0, le=1)] = 0.99

    @property
    def seeds(self) -> range:
        """The seed of each episode."""
        return range(self.seed, self.seed + self.episodes)


class ReferenceScore(_Entry):
    """The mean return of a policy that scores are measured against.

    Attributes:
        mean: of the undiscounted returns.
        std: standard deviation of the episodes' returns.
        episodes: how many were run, from ``seed`` on.
        seed: of the first.
        source: which policy this is, and how it was measured.
    """

    mean: Number
    std: Annotated[Number, Field(ge=0)] = 0.0
    episodes: Count = 0
    seed: Count = 0
    source: Text = ""


class Rollouts(_Entry):
    """Seeded rollouts that tell whether a machine's simulator is the same.

    Attributes:
        artifact: the artifact (codec ``rollouts``) that holds them.
        episodes: how many there are.
        recorded_with: versions they were recorded with, by distribution, and ``python`` and ``platform``.
    """

    artifact: Name
    episodes: Count
    recorded_with: Annotated[dict[Short, Short], Field(max_length=100)] = {}


class PolicyEntry(_Entry):
    """A trained policy.

    Attributes:
        artifact: the artifact that holds it.
        format: ``d3`` (d3rlpy), ``torchscript``, ``onnx``, or the name a plugin registered.
        algorithm: what trained it.
        dataset: what it was trained on.
        description: anything else worth knowing.
        score: its mean return under the protocol, where measured.
    """

    artifact: Name
    format: Name
    algorithm: Short = ""
    dataset: Short | None = None
    description: Text = ""
    score: Number | None = None


class DatasetEntry(_Entry):
    """A dataset recorded on the environment.

    Attributes:
        sha256: of ``main_data.hdf5``.
        size: of that file, in bytes.
        episodes: number of episodes.
        steps: number of steps over all episodes.
        description: how it was recorded, and by which policies.
    """

    sha256: Sha256
    size: Count
    episodes: Count
    steps: Count
    description: Text = ""


class BenchmarkSpecification(_Entry):
    """Everything ``benchmark.json`` says.

    Attributes:
        format: always ``pytupli-benchmark``.
        format_version: of this description; readers refuse what they do not know.
        name: of the benchmark; its datasets are ``<name>/<dataset>``.
        title: in a few words.
        description: what it is good for.
        difficulty: ``easy``, ``medium``, ``hard``, or what your field says.
        version: of the benchmark, in the owner's counting.
        tags: words to find it by.
        metadata: anything else, as JSON.
        environment: the environment as data.
        artifacts: by name.
        requirements: what has to be installed to build the environment.
        evaluation: how policies are scored.
        reference_scores: of the environment, by policy (``random``, ``expert``, …).
        rollouts: what verification compares with.
        policies: trained policies, by name.
        datasets: by name, ``summer-v0``.
        licence: an SPDX expression, or a name.
        authors: one each.
        citation: BibTeX, or a sentence.
        source: permalink of the code that the environment comes from.
    """

    format: Literal["pytupli-benchmark"] = "pytupli-benchmark"
    format_version: Literal[1] = FORMAT_VERSION
    name: Name
    title: Short = ""
    description: Text = ""
    difficulty: Short | None = None
    version: Short = "1"
    tags: Annotated[tuple[Short, ...], Field(max_length=100)] = ()
    metadata: Arguments = {}
    environment: EnvironmentEntry
    artifacts: Annotated[dict[Name, ArtifactEntry], Field(max_length=_MAX_ENTRIES)] = {}
    requirements: Annotated[tuple[Requirement, ...], Field(max_length=100)] = ()
    evaluation: EvaluationProtocol = EvaluationProtocol()
    reference_scores: Annotated[dict[Name, ReferenceScore], Field(max_length=100)] = {}
    rollouts: Rollouts | None = None
    policies: Annotated[dict[Name, PolicyEntry], Field(max_length=_MAX_ENTRIES)] = {}
    datasets: Annotated[dict[DatasetName, DatasetEntry], Field(max_length=_MAX_ENTRIES)] = {}
    licence: Short | None = None
    authors: Annotated[tuple[Short, ...], Field(max_length=100)] = ()
    citation: Text = ""
    source: Short | None = None

    @model_validator(mode="after")
    def _check(self) -> BenchmarkSpecification:
        named = dict.fromkeys(self.needed_artifacts(), "environment or rollouts")
        named |= {entry.artifact: f"policies.{policy}" for policy, entry in self.policies.items()}
        for name, place in named.items():
            if name not in self.artifacts:
                raise ValueError(
                    f"{place} names the artifact {name!r:.80}, which is not listed under artifacts"
                )
        return self

    def needed_artifacts(self) -> Iterator[str]:
        """Yield the artifacts that the environment and the rollouts name, each as often as it is named."""
        if self.rollouts is not None:
            yield self.rollouts.artifact
        yield from artifact_names(self.environment.kwargs)
        for wrapper in self.environment.wrappers:
            yield from artifact_names(wrapper.kwargs)

    @property
    def data_only(self) -> bool:
        """Whether the owner shares the interface without the implementation."""
        return self.environment.entry_point is None


def artifact_names(encoded: Mapping[str, Any] | list[Any]) -> Iterator[str]:
    """Yield the artifacts that encoded arguments name, each as often as it is named."""
    waiting: list[Any] = [encoded]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            if isinstance(value.get("$artifact"), str):
                yield value["$artifact"]
            else:
                waiting.extend(value.values())
