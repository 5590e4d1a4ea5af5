"""A benchmark: an environment as data that others can rebuild, with everything that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
from pytupli_registry.benchmarks.building import Building
from pytupli_registry.benchmarks.capture import check_environment
from pytupli_registry.benchmarks.describing import describe, describe_interface, specify
from pytupli_registry.benchmarks.evaluation import BenchmarkIdentity, Evaluation, PolicyIdentity, evaluate
from pytupli_registry.benchmarks.facts import checked, names_of
from pytupli_registry.benchmarks.home import local_directory
from pytupli_registry.benchmarks.kept import KeptBenchmark
from pytupli_registry.benchmarks.policies import RANDOM, RandomPolicy, load_policy
from pytupli_registry.benchmarks.policy_files import policy_entry, with_policy_file
from pytupli_registry.benchmarks.recorded import read_recorded, record
from pytupli_registry.benchmarks.specification import EvaluationProtocol, ReferenceScore
from pytupli_registry.benchmarks.verification import verify_dataset, verify_rollouts
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.errors import ArtifactError, EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    import gymnasium

    from pytupli_registry.benchmarks.policies import Policy
    from pytupli_registry.benchmarks.replay import Tolerance
    from pytupli_registry.benchmarks.verification import Verification
    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.environments.building import BuildPlan

__all__ = ["Benchmark"]


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark(KeptBenchmark):
    """An environment as plain data, with its artifacts, reference scores, policies and datasets.

    ::

        bench = Benchmark.from_env(env, name="hvac", description="Keep a house warm, cheaply")
        bench.save()
        env = Benchmark.load("hvac").make()

    A benchmark does not change: what adds to it returns another one, which still has to be saved.

    Attributes:
        specification: what ``benchmark.json`` says.
        directory: where it was loaded from; None before it is saved. Of one on a Hub, where its files are brought.
        repository: the commit of the Hub that it was loaded from; None for those that lie here.
    """

    _own_modules: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_env(
        cls,
        env: gymnasium.Env[Any, Any],
        *,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        requirements: Iterable[str] = (),
        code: Sequence[ModuleType | Path] = (),
        private: bool = False,
        share: Iterable[str] = (),
        rollouts: int = 3,
        **facts: Any,  # noqa: ANN401 - the fields of BenchmarkSpecification, which checks them
    ) -> Self:
        """Make a benchmark of an environment.

        What it was built with becomes data: paths, arrays, tables and the like become artifacts. The environment
        itself is neither stepped nor changed; none of its attributes is looked at. Then it is built once more from
        that data, and a few seeded rollouts of it are recorded, for :meth:`verify`.

        Args:
            env: made by ``gymnasium.make``, or by calling its class; wrappers and time limit included.
            name: of the benchmark; its datasets are ``<name>/<dataset>``.
            arguments: of the constructor, where neither Gymnasium nor the environment recorded them.
            requirements: more than what is found by itself, as pip takes them: ``gymnasium[box2d]>=1.0``.
            code: modules, packages or ``.py`` files to ship with it, for those who cannot install them.
            private: share the interface only: no id, entry point, argument or wrapper is written.
            share: names of the arguments that are shared even so, as artifacts.
            rollouts: how many rollouts to record.
            **facts: any other field of :class:`~pytupli_registry.benchmarks.specification.BenchmarkSpecification`:
                title, description, difficulty, version, tags, metadata, evaluation, licence, authors, citation, source.

        Raises:
            ArtifactError: an argument cannot be kept as data, or a field is not what it has to be.
            SpaceError: a space cannot be kept in a dataset.
            EnvironmentRefused: the environment cannot be built from what was written down.
        """
        check_environment(env)
        if share and not private:
            raise ArtifactError(
                "share= goes with private=True.", hint="Otherwise every argument is shared: leave it out."
            )
        spool = ArtifactSpool()
        local_directory(name)
        if private:
            made = describe_interface(env, spool, name=name, arguments=arguments, share=share)
        else:
            made = describe(env, spool, name=name, arguments=arguments, requirements=requirements, code=code)
        own = made.pop("modules", ())
        bench = cls(
            specify({**facts, "name": name, **made, "artifacts": spool.entries}),
            _spool=spool,
            _own_modules=own,
        )
        return bench._with_rollouts(rollouts) if rollouts and not private else bench

    def plan(self, *, allow: Iterable[str] = (), consent: Iterable[str] = ()) -> BuildPlan:
        """Say what :meth:`make` would run, and what speaks against it; nothing is imported or built.

        Raises:
            EnvironmentRefused: there is nothing to build: the implementation is not shared.
            FormatError: an artifact is not what ``benchmark.json`` says.
        """
        return self._building().plan(self._permissions(allow, consent))

    def make(self, *, allow: Iterable[str] = (), consent: Iterable[str] = ()) -> gymnasium.Env[Any, Any]:
        """Build the environment.

        Gymnasium's own ids, and those that installed packages registered, are built if they are registered with the
        same entry point. Anything else has to be allowed: see ``docs/environments.md``.

        Args:
            allow: modules whose environments may be built, ``acme`` or ``acme.energy``; added to
                ``PYTUPLI_ALLOWED_MODULES``.
            consent: SHA-256 of shipped code, or of files that may hold code, that may run; added to those remembered.

        Raises:
            RequirementsMissing: something is not installed; the hint is the line that installs it.
            ConsentRequired: code would run that nobody allowed.
            EnvironmentRefused: it may not be built, the implementation is not shared, or its constructor failed.
            FormatError: an artifact is not what ``benchmark.json`` says.
        """
        return self._building().make(self._permissions(allow, consent))

    def verify(
        self,
        dataset: str | Dataset | None = None,
        *,
        episodes: int | None = None,
        tolerance: Tolerance | None = None,
        allow: Iterable[str] = (),
        consent: Iterable[str] = (),
        advance: Callable[[int], None] | None = None,
    ) -> Verification:
        """Replay what was recorded, and say whether this machine's simulator does the same.

        Args:
            dataset: replay the episodes of a dataset, from their seeds and actions; None replays the rollouts.
            episodes: of a dataset, how many, spread evenly; None for all.
            tolerance: what still counts as the same.
            allow: as in :meth:`make`.
            consent: as in :meth:`make`.
            advance: called with 1 after each episode of a dataset.

        Raises:
            ArtifactError: the benchmark has no rollouts.
            EnvironmentRefused: as in :meth:`make`.
        """
        maker = self._maker(allow, consent)
        if dataset is None:
            recorded = read_recorded(self.specification, self._locate)
            return verify_rollouts(maker, recorded, tolerance)
        opened = self.dataset(dataset) if isinstance(dataset, str) else dataset
        return verify_dataset(maker, opened, episodes=episodes, tolerance=tolerance, advance=advance)

    def evaluate(
        self,
        policy: Any,  # noqa: ANN401 - a name, or whatever as_policy takes
        *,
        episodes: int | None = None,
        lanes: int = 8,
        run: str | int | None = None,
        allow: Iterable[str] = (),
        consent: Iterable[str] = (),
        advance: Callable[[int], None] | None = None,
    ) -> Evaluation:
        """Score a policy by the benchmark's protocol.

        Args:
            policy: a function of one observation, a policy, what a plugin accepts (d3rlpy's algorithms), the name of
                one of the benchmark's policies, or ``"random"``.
            episodes: another number of episodes than the protocol's.
            lanes: how many environments are stepped together.
            run: what tells the training runs of an algorithm apart, the seed for instance.
            allow: as in :meth:`make`.
            consent: as in :meth:`make`, and for policies whose files can hold code.
            advance: called with 1 after each episode.

        Raises:
            ArtifactError: there is no policy of that name, or no such number of episodes.
            EnvironmentRefused: as in :meth:`make`.
        """
        protocol = self.specification.evaluation
        if episodes is not None:
            facts = {**protocol.model_dump(), "episodes": episodes}
            protocol = checked(EvaluationProtocol, facts, "an evaluation protocol")
        acting, named = self._acting(policy, consent)
        run = None if run is None else str(run)
        described = checked(PolicyIdentity, {**named.model_dump(), "run": run}, "the identity of a policy")
        return evaluate(
            self._maker(allow, consent),
            acting,
            protocol,
            lanes=lanes,
            identity=BenchmarkIdentity(name=self.name, sha256=self.identity),
            described=described,
            reference_scores=self.specification.reference_scores,
            distributions=self._building().distributions,
            advance=advance,
        )

    def policy(self, name: str, *, consent: Iterable[str] = ()) -> Policy:
        """Load one of its policies.

        Raises:
            ArtifactError: there is none of that name, or its file is not what ``benchmark.json`` says.
            AdapterError: nothing installed reads its format.
            ConsentRequired: its format can hold code, and nobody consented to this file.
        """
        entry = policy_entry(self.specification, name)
        artifact = self.specification.artifacts[entry.artifact]
        return load_policy(
            self._locate(artifact),
            artifact.sha256,
            entry.format,
            self.observation_space,
            self.action_space,
            consents=self._permissions((), consent).consents,
        )

    def with_policy(
        self,
        name: str,
        policy: Any,  # noqa: ANN401 - a path, or what a plugin accepts
        *,
        algorithm: str = "",
        dataset: str | None = None,
        description: str = "",
        score: float | Evaluation | None = None,
    ) -> Self:
        """Return the benchmark with a trained policy.

        Args:
            name: of the policy.
            policy: d3rlpy's algorithm, or the path of a file whose suffix says its format (``.d3``, ``.pt``, ``.onnx``).
            algorithm: what trained it.
            dataset: what it was trained on.
            description: anything else worth knowing.
            score: its mean return under the protocol, or the evaluation that measured it, see :meth:`evaluate`.

        Raises:
            AdapterError: nothing installed knows the format, or how to write the algorithm.
            ArtifactError: there is no such file, a text or number cannot be kept, or the score is of another benchmark.
        """
        mean = self._measured(score).mean if isinstance(score, Evaluation) else score
        facts = {"algorithm": algorithm, "dataset": dataset, "description": description, "score": mean}
        return self._with(**with_policy_file(self.specification, policy, name, facts, self._spool))

    def with_reference_scores(self, **scores: ReferenceScore | Evaluation) -> Self:
        """Return the benchmark with scores that others are measured against.

        ::

            bench.with_reference_scores(random=bench.evaluate("random"), expert=bench.evaluate(controller)).save()

        Raises:
            ArtifactError: an evaluation is of another benchmark, or it is no score.
        """
        given = {
            name: self._measured(score) if isinstance(score, Evaluation) else score
            for name, score in scores.items()
        }
        return self._with(reference_scores={**self.specification.reference_scores, **given})

    def _measured(self, score: Evaluation) -> ReferenceScore:
        if score.benchmark is None or score.benchmark.sha256 != self.identity:
            where = score.benchmark.name if score.benchmark else score.environment
            raise ArtifactError(
                f"The evaluation of {score.policy.name!r} was on another benchmark ({where!r:.100}) than {self.name!r}.",
                hint="Measure it on this one: bench.evaluate(policy).",
            )
        return score.as_reference()

    def _with_rollouts(self, count: int) -> Self:
        rollouts = record(self._maker((), ()), count, self.specification, self._spool)
        return self._with(rollouts=rollouts, artifacts=dict(self._spool.entries))

    def _maker(self, allow: Iterable[str], consent: Iterable[str]) -> Callable[[], gymnasium.Env[Any, Any]]:
        building, permissions = self._building(), self._permissions(allow, consent)
        return lambda: building.make(permissions)

    def _building(self) -> Building:
        if self.specification.data_only:
            raise EnvironmentRefused(
                f"The benchmark {self.name!r} shares its interface only: there is no environment to build.",
                hint="Its datasets load, filter, score and train without one.",
            )
        return Building(self.specification, self._home(), own=bool(self._own_modules))

    def _permissions(self, allow: Iterable[str], consent: Iterable[str]) -> Permissions:
        return Permissions.from_environment((*names_of(allow), *self._own_modules), names_of(consent))

    def _acting(self, policy: Any, consent: Iterable[str]) -> tuple[Any, PolicyIdentity]:  # noqa: ANN401
        if policy == RANDOM and isinstance(policy, str) and RANDOM not in self.specification.policies:
            return RandomPolicy(self.action_space), PolicyIdentity(name=RANDOM)
        if isinstance(policy, str):
            entry = policy_entry(self.specification, policy)
            sha256 = self.specification.artifacts[entry.artifact].sha256
            return self.policy(policy, consent=consent), PolicyIdentity(
                name=policy, sha256=sha256, format=entry.format
            )
        return policy, PolicyIdentity(name=getattr(policy, "__name__", type(policy).__name__))
