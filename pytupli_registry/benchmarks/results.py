"""The result file of an evaluation: every episode, what they come to, and what is needed to get them again."""

from __future__ import annotations

import math
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pytupli_registry.benchmarks.scores import normalised_score
from pytupli_registry.benchmarks.specification import (
    EvaluationProtocol,
    ReferenceScore,
)
from pytupli_registry.benchmarks.statistics import Statistics, describe
from pytupli_registry.errors import FormatError, PytupliError, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "BenchmarkIdentity",
    "EpisodeResult",
    "Evaluation",
    "PolicyIdentity",
    "installed_versions",
    "normalised_returns",
]

FORMAT_VERSION: Literal[1] = 1

_MAX_TEXT = 64 << 20
_RECOMPUTED = 1e-9  # how far the figures of another version of numpy may be from ours

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=200)]
Seed = Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BenchmarkIdentity(_Entry):
    """Which benchmark a policy was evaluated on.

    Attributes:
        name: of the benchmark.
        sha256: its identity, which covers the environment and the protocol.
    """

    name: Text
    sha256: Sha256


class PolicyIdentity(_Entry):
    """Which policy was evaluated.

    Attributes:
        name: what it is called.
        sha256: of its file, where it came from one.
        format: of that file.
        run: what tells the training runs of an algorithm apart, the seed for instance.
    """

    name: Text = ""
    sha256: Sha256 | None = None
    format: Text | None = None
    run: Text | None = None


class EpisodeResult(_Entry):
    """What one episode came to.

    Attributes:
        seed: what the environment was reset with.
        total_return: sum of the rewards, rounded once (``math.fsum``).
        discounted_return: the reward of step t counts ``discount ** t``.
        length: number of steps.
        terminated: whether it reached a terminal state; it was truncated otherwise.
    """

    seed: Seed
    total_return: float
    discounted_return: float
    length: Annotated[int, Field(ge=1)]
    terminated: bool


class Evaluation(_Entry):
    """A policy's scores under a protocol, and what is needed to get them again.

    Attributes:
        format: always ``pytupli-evaluation``.
        format_version: of this description.
        benchmark: which; None for an environment that is none.
        environment: Gymnasium's id, where it has one.
        policy: which.
        protocol: seeds, number of episodes, discount.
        lanes: how many environments ran together.
        episodes: one result a seed, in the protocol's order.
        returns: figures of the undiscounted returns.
        discounted_returns: figures of the discounted ones.
        lengths: figures of the lengths.
        reference_scores: of the environment, by policy.
        normalised: figures of the normalised returns, where ``random`` and ``expert`` are among the references.
        versions: of Python and of distributions, and the platform.
    """

    format: Literal["pytupli-evaluation"] = "pytupli-evaluation"
    format_version: Literal[1] = FORMAT_VERSION
    benchmark: BenchmarkIdentity | None = None
    environment: Text = ""
    policy: PolicyIdentity = PolicyIdentity()
    protocol: EvaluationProtocol
    lanes: Annotated[int, Field(ge=1)]
    episodes: Annotated[tuple[EpisodeResult, ...], Field(min_length=1)]
    returns: Statistics
    discounted_returns: Statistics
    lengths: Statistics
    reference_scores: dict[Text, ReferenceScore] = {}
    normalised: Statistics | None = None
    versions: dict[Text, Text] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if [episode.seed for episode in self.episodes] != list(self.protocol.seeds):
            raise ValueError("the episodes are not those of the protocol's seeds")
        try:
            for name, given, scores in self._figures():
                if not _same_figures(given, describe(scores, resamples=1)):
                    raise ValueError(f"the figures of {name} do not follow from the episodes")
        except PytupliError as error:
            raise ValueError(error.message) from error
        return self

    def _figures(self) -> Iterator[tuple[str, Statistics, Sequence[float]]]:
        yield "returns", self.returns, [episode.total_return for episode in self.episodes]
        yield "discounted_returns", self.discounted_returns, [one.discounted_return for one in self.episodes]
        yield "lengths", self.lengths, [episode.length for episode in self.episodes]
        if self.normalised is not None:
            yield "normalised", self.normalised, self.normalised_scores()

    @property
    def score(self) -> float:
        """The mean normalised return; the mean return where there is nothing to normalise by."""
        return (self.normalised or self.returns).mean.value

    def normalised_scores(self) -> tuple[float, ...]:
        """Return the normalised return of each episode.

        Raises:
            PytupliError: ``random`` or ``expert`` is not among the reference scores, or they are equal.
        """
        returns = (episode.total_return for episode in self.episodes)
        return tuple(normalised_returns(returns, self.reference_scores))

    @property
    def summary(self) -> str:
        """What came out, in one line, with 95 % confidence intervals."""
        where = self.benchmark.name if self.benchmark else self.environment
        figures = {"return": self.returns, "normalised score": self.normalised}
        told = ", ".join(
            f"{name} {found.mean.value:.5g} [{found.mean.low:.5g}, {found.mean.high:.5g}]"
            for name, found in figures.items()
            if found is not None
        )
        return f"{self.policy.name or 'a policy'} on {where or 'an environment'}: {told}, {len(self.episodes)} episodes"

    def __repr__(self) -> str:
        return f"<Evaluation: {self.summary}>"  # its fields are an entry for every episode

    __str__ = __repr__

    def as_reference(self, source: str = "") -> ReferenceScore:
        """Return the score that others are measured against, where this is the random or the expert policy.

        Args:
            source: which policy this is; its name here if empty.
        """
        return ReferenceScore(
            mean=self.returns.mean.value,
            std=self.returns.std,
            episodes=self.protocol.episodes,
            seed=self.protocol.seed,
            source=source or self.policy.name,
        )

    def to_json(self) -> str:
        """Return the result file's text; the same evaluation is the same text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "the evaluation") -> Evaluation:
        """Read the text of a result file that need not be trusted.

        The means, medians and interquartile means are computed again; the intervals, which depend on the version of
        numpy, are not.

        Args:
            text: the file's content.
            source: where it comes from, for messages.

        Raises:
            UnsupportedFormat: it is of another format version.
            FormatError: it is no result file, or its figures do not follow from its episodes.
        """
        if len(text) > _MAX_TEXT:
            raise FormatError(source, "it is too long for a result file")
        try:
            found = _Version.model_validate_json(text)
            if found.format_version != FORMAT_VERSION:
                raise UnsupportedFormat(
                    source,
                    f"it is of the format version {found.format_version}; this release reads {FORMAT_VERSION}",
                    hint="Install a later release of pytupli-registry.",
                )
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or None
            raise FormatError(source, f"it is no evaluation: {first['msg']:.200}", where=place) from error


class _Version(BaseModel):
    format: Literal["pytupli-evaluation"]
    format_version: int


def installed_versions(distributions: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python, of what every evaluation uses and of these distributions, and the platform.

    A distribution that is not installed is left out.
    """
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for name in sorted({"gymnasium", "numpy", "pytupli-registry", *distributions}):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def normalised_returns(returns: Iterable[float], references: Mapping[str, ReferenceScore]) -> list[float]:
    """Return the normalised score of each return.

    Raises:
        PytupliError: ``random`` or ``expert`` is not among the references, or they are equal.
    """
    random, expert = references.get("random"), references.get("expert")
    low, high = None if random is None else random.mean, None if expert is None else expert.mean
    return [normalised_score(value, low, high) for value in returns]


def _same_figures(first: Statistics, second: Statistics) -> bool:
    pairs = [
        (first.mean.value, second.mean.value),
        (first.median.value, second.median.value),
        (first.iqm.value, second.iqm.value),
        (first.std, second.std),
        (first.minimum, second.minimum),
        (first.maximum, second.maximum),
        (first.count, second.count),
    ]
    scale = max(abs(second.minimum), abs(second.maximum))
    return all(math.isclose(a, b, rel_tol=_RECOMPUTED, abs_tol=_RECOMPUTED * scale) for a, b in pairs)
