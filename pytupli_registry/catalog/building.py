"""Making a catalog's benchmark: environment, reference scores, rollouts, datasets, trained policies and card.

Everything is made in a hidden directory beside its place and moved there when it is whole: a build that fails or is
killed leaves nothing half made, and the next one begins anew.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.benchmarks.datasets import copy_dataset
from pytupli_registry.benchmarks.reading import FILE_NAME as BENCHMARK
from pytupli_registry.benchmarks.specification import ReferenceScore
from pytupli_registry.catalog.card import CARD, card_of
from pytupli_registry.catalog.cast import Cast
from pytupli_registry.catalog.environment import check_installed, make_environment
from pytupli_registry.catalog.progress import silent
from pytupli_registry.catalog.recipe import FILE_NAME, RANDOM
from pytupli_registry.catalog.recording import record
from pytupli_registry.environments.stored import describe_environment
from pytupli_registry.errors import BenchmarkExists, WriteError
from pytupli_registry.storage.durable import hold_lock, make_directories, sync, write_durably
from pytupli_registry.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    import gymnasium

    from pytupli_registry.catalog.catalog import CatalogEntry
    from pytupli_registry.catalog.progress import Progress
    from pytupli_registry.catalog.recipe import Recipe

__all__ = ["Built", "build"]

_WORKPLACE = ".pytupli-build"
_ROLLOUTS = 3


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to.

    Attributes:
        name: of the benchmark.
        directory: where it is.
        made: whether anything was made now.
        recorded: datasets that were made now.
        present: datasets of the recipe that were there already.
        outdated: whether what was there already was made by another version of the recipe.
        seconds: how long it took.
    """

    name: str
    directory: Path
    made: bool
    recorded: tuple[str, ...]
    present: tuple[str, ...]
    outdated: bool
    seconds: float


def build(
    found: CatalogEntry,
    root: Path,
    *,
    datasets: bool = True,
    replace: bool = False,
    progress: Progress = silent,
) -> Built:
    """Make a benchmark in ``<root>/<name>``; what is there already and belongs to it stays.

    The same recipe and seeds make the same ``main_data.hdf5``, byte for byte, on the same versions.

    Args:
        found: what to make.
        root: the root of a store; made where it is missing.
        datasets: record the datasets, too.
        replace: make everything anew, in place of what is there.
        progress: shows how far it is.

    Raises:
        RequirementsMissing: something is not installed; the hint is the line that installs it.
        AdapterError: a policy has to be trained, and d3rlpy is not installed.
        BenchmarkExists: there is another benchmark of that name.
        DatasetExists: there is another dataset where one of the recipe belongs.
        WriteError: the same benchmark is being built there by somebody else, or the disk is full.
    """
    started, recipe = time.monotonic(), found.recipe
    check_installed(recipe)
    there = _there(found, root, replace=replace)
    present = tuple(name for name in recipe.datasets if there is not None and name in there.dataset_names)
    wanted = tuple(name for name in recipe.datasets if datasets and name not in present)
    outdated = there is not None and there.specification.metadata.get("recipe") != _recipe_hash(found)
    made = there is None or bool(wanted)
    if made:
        with _workplace(root, recipe.name) as staging:
            _Making(found, staging, progress).make(wanted, there)
            _place(staging / recipe.name, found, root, wanted, replace=replace)
    seconds = time.monotonic() - started
    return Built(recipe.name, root / recipe.name, made, wanted, present, outdated, seconds)


def _there(found: CatalogEntry, root: Path, *, replace: bool) -> Benchmark | None:
    """Return the benchmark as it was built before, if it was."""
    directory = root / found.recipe.name
    if replace or not (directory / BENCHMARK).is_file():
        return None
    there = Benchmark.load(directory)
    if there.identity != _benchmark(found, rollouts=0).identity:
        raise BenchmarkExists(str(directory))
    return there


def _benchmark(found: CatalogEntry, rollouts: int) -> Benchmark:
    recipe = found.recipe
    with make_environment(found) as env:
        return Benchmark.from_env(
            env,
            name=recipe.name,
            requirements=recipe.requirements,
            rollouts=rollouts,
            title=recipe.title,
            description=recipe.description.strip(),
            difficulty=recipe.difficulty,
            version=recipe.version,
            tags=recipe.tags,
            metadata={**recipe.metadata, "catalog": found.catalog.name, "recipe": _recipe_hash(found)},
            evaluation=recipe.evaluation,
            licence=recipe.licence,
            authors=recipe.authors,
            citation=recipe.citation,
            source=recipe.source,
        )


def _recipe_hash(found: CatalogEntry) -> str:
    return hashlib.sha256((found.directory / FILE_NAME).read_bytes()).hexdigest()


class _Making:
    """One build, in a directory of its own."""

    def __init__(self, found: CatalogEntry, staging: Path, progress: Progress) -> None:
        self._found, self._recipe, self._progress = found, found.recipe, progress
        self._store = LocalStore(staging, staging / ".cache")
        self._home = staging / found.recipe.name
        self._make_env: Callable[[], gymnasium.Env[Any, Any]] = partial(make_environment, found)
        self._cast = Cast(found, self._make_env, progress)

    def make(self, wanted: Collection[str], there: Benchmark | None) -> None:
        """Make the datasets, and around them what is not there yet."""
        bench = _benchmark(self._found, rollouts=_ROLLOUTS) if there is None else there
        for name, source in self._recipe.references.items():
            if name not in bench.specification.reference_scores:
                score = self._reference(bench, name, source)
                bench = bench.with_reference_scores(**{name: score})
        for name in wanted:
            self._record(name, bench.specification.reference_scores)
        self._with_policies(bench).save(self._home)
        write_durably(self._home / CARD, card_of(Benchmark.load(self._home), self._found))

    def _reference(self, bench: Benchmark, name: str, source: str) -> ReferenceScore:
        protocol, policy = self._recipe.evaluation, self._cast.policy(source)
        with self._progress(f"{self._recipe.name}: scoring {name}", protocol.episodes) as advance:
            result = bench.evaluate(policy, advance=advance)
        return ReferenceScore(
            mean=result.returns.mean.value,
            std=result.returns.std,
            episodes=protocol.episodes,
            seed=protocol.seed,
            source=f"{self._cast.describe(source)}; measured by the protocol",
        )

    def _record(self, name: str, references: Mapping[str, ReferenceScore]) -> None:
        dataset, episodes = self._recipe.datasets[name], self._recipe.datasets[name].episodes
        policies = self._cast.policies(dataset.policies)
        experience = [] if dataset.replay is None else self._cast.experience(dataset.replay)
        label = f"{self._recipe.name}: recording {name}"
        env = self._make_env()
        with (
            env,
            self._progress(label, episodes or len(experience)) as advance,
            self._store.writer(
                f"{self._recipe.name}/{name}",
                observation_space=env.observation_space,
                action_space=env.action_space,
                env_spec=describe_environment(env),
                extra=_facts(self._recipe, name, references),
            ) as writer,
        ):
            if dataset.replay is None:
                record(env, dataset, policies, writer, advance)
            for episode in experience:
                writer.add(episode)
                advance(1)

    def _with_policies(self, bench: Benchmark) -> Benchmark:
        """Add what was trained on the way."""
        for name, learner in self._cast.learners.items():
            training = self._recipe.policies[name].train
            bench = bench.with_policy(
                name,
                learner,
                algorithm="" if training is None else training.algorithm,
                description=self._cast.describe(name),
            )
        return bench


def _facts(recipe: Recipe, name: str, references: Mapping[str, ReferenceScore]) -> dict[str, Any]:
    """Return what ``metadata.json`` says beside what follows from the data, by Minari's names."""
    dataset = recipe.datasets[name]
    acting = [dataset.replay] if dataset.replay is not None else sorted(dataset.policies)
    facts = {
        "description": dataset.description,
        "algorithm_name": ", ".join(map(str, acting)),
        "author": list(recipe.authors),
        "code_permalink": recipe.source,
        "requirements": list(recipe.requirements),
        "licence": recipe.licence,
        "ref_min_score": references[RANDOM].mean if RANDOM in references else None,
        "ref_max_score": references["expert"].mean if "expert" in references else None,
    }
    return {key: value for key, value in facts.items() if value}


@contextmanager
def _workplace(root: Path, name: str) -> Iterator[Path]:
    """Give an empty directory on the same disk, which nobody else uses; what a killed build left there goes."""
    home = root / _WORKPLACE
    make_directories(home)
    try:
        with hold_lock(home / f"{name}.lock", wait=False):
            staging = home / name
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            try:
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except BlockingIOError as error:
        raise WriteError(
            f"{name!r} is being built in {root} by another process.", hint="Wait until it is done."
        ) from error


def _place(made: Path, found: CatalogEntry, root: Path, datasets: Collection[str], *, replace: bool) -> None:
    """Move what was made to its place: at once where nothing is there, else datasets first, benchmark.json last."""
    target = root / made.name
    if not target.exists():
        made.rename(target)
        sync(root)
        return
    for name in datasets:
        with _out_of_the_way(target / name, replace=replace):
            copy_dataset(made, target, name, made.name, tell_environment=True)
    Benchmark.load(made).save(target, replace=replace)
    write_durably(target / CARD, card_of(Benchmark.load(target), found))


@contextmanager
def _out_of_the_way(directory: Path, *, replace: bool) -> Iterator[None]:
    """Put an old dataset aside while the new one comes, and back where that fails."""
    aside = directory.with_name(f".{directory.name}.replaced")
    if not replace or not directory.exists():
        yield
        return
    shutil.rmtree(aside, ignore_errors=True)
    directory.rename(aside)
    try:
        yield
    except BaseException:
        aside.rename(directory)
        raise
    shutil.rmtree(aside)
