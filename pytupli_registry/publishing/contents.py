"""The files that a repository has to have after a publication, worked out on what it has before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pytupli_registry.benchmarks.identity import identity_of
from pytupli_registry.benchmarks.reading import FILE_NAME as BENCHMARK
from pytupli_registry.benchmarks.reading import specification_to_json
from pytupli_registry.benchmarks.spaces import same_space
from pytupli_registry.errors import PytupliError
from pytupli_registry.hub.commits import Addition
from pytupli_registry.publishing.card import CARD, CardFacts, choose_text, hand_digest, made_card
from pytupli_registry.publishing.namespaces import FILE as NAMESPACE
from pytupli_registry.publishing.namespaces import merged_namespace
from pytupli_registry.publishing.provenance import FILE_NAME as PROVENANCE
from pytupli_registry.publishing.provenance import Step
from pytupli_registry.publishing.remote_dataset import published_index
from pytupli_registry.publishing.repository import changed_files, data_files
from pytupli_registry.publishing.shared import shared_episodes
from pytupli_registry.publishing.views import view_files
from pytupli_registry.storage.index import read_index, same_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytupli_registry.benchmarks.specification import BenchmarkSpecification
    from pytupli_registry.publishing.local import LocalDataset
    from pytupli_registry.publishing.prepared import Prepared
    from pytupli_registry.publishing.repository import Repository

__all__ = ["Contents", "Origins", "contents"]

CardChoice = Literal["local", "hub"]
_MERGED = ("artifacts", "policies", "reference_scores")


@dataclass(frozen=True, slots=True)
class Origins:
    """What provenance says of this publication.

    Attributes:
        action: ``publish``, ``append``, ``merge`` or ``index``.
        by: who does it.
        sources: what each dataset was made of, by its path; what its metadata says where nothing is given.
    """

    action: str
    by: str
    sources: Mapping[str, tuple[Mapping[str, Any], ...]]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a commit has to bring.

    Attributes:
        changed: files that differ from what the repository has.
        unchanged: paths of those that do not.
        problems: what speaks against it.
        warnings: what is worth knowing.
    """

    changed: tuple[Addition, ...]
    unchanged: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def contents(
    repository: Repository,
    prepared: Prepared,
    origins: Origins,
    *,
    card: CardChoice | None = None,
    replaced: bool = False,
) -> Contents:
    """Work out what a repository lacks.

    Args:
        repository: as it is.
        prepared: what is published into it.
        origins: what provenance will say.
        card: whose text wins where people wrote on both sides; None makes that a problem.
        replaced: whether the datasets replace (extend) what was published under their names.
    """
    try:
        return _contents(repository, prepared, origins, card, replaced)
    except PytupliError as error:  # a file in the repository that cannot be read
        return Contents((), (), (f"In {repository.repo}: {error.message}",))


def _contents(
    repository: Repository, prepared: Prepared, origins: Origins, card: CardChoice | None, replaced: bool
) -> Contents:
    ahead = {} if replaced else _ahead(repository, prepared)
    prepared = replace(prepared, datasets=[one for one in prepared.datasets if one.path not in ahead])
    views = view_files(repository, prepared.views, ahead)
    problems = [*_conflicts(repository, prepared, replaced), *views.problems]
    specification = _specification(repository, prepared)
    files = [*_files(repository, prepared, specification), *views.files]
    changed = changed_files(repository, files)
    steps = _steps(prepared, origins, {file.path for file in changed})
    text = _text(repository, prepared, card)
    if text is None:
        problems.append(
            f"{CARD}: it was changed by hand both here and on the Hub. Bring the two together in the local file, and "
            "say that it wins (`--card local`), or that the Hub's does (`--card hub`)."
        )
        return Contents((), (), tuple(problems))
    written = _written(repository, prepared, specification, text, steps)
    changed += changed_files(repository, written)
    paths = {file.path for file in changed}
    unchanged = tuple(file.path for file in (*files, *written) if file.path not in paths)
    return Contents(tuple(changed), unchanged, tuple(problems), (*ahead.values(), *views.warnings))


def _ahead(repository: Repository, prepared: Prepared) -> dict[str, str]:
    """Return the datasets that others have appended to since, which stay as they are, and what to say of each."""
    found = {}
    for dataset in prepared.datasets:
        published = published_index(repository, dataset.path)
        mine = dataset.index.table
        if published is None or published.data_sha256 == dataset.index.data_sha256:
            continue
        more = len(published.table) - len(mine)
        if more >= 0 and shared_episodes(published.table, mine) == len(mine):
            found[dataset.path] = (
                f"{dataset.path}: the one in {repository.repo} has {more:,} more episodes, and stays as it is."
            )
    return found


def _conflicts(repository: Repository, prepared: Prepared, replaced: bool) -> Iterator[str]:
    """Yield what cannot be brought together with what is published."""
    there = repository.look(path for one in prepared.datasets for path in data_files(one.path))
    for dataset in prepared.datasets:
        published = there.get(data_files(dataset.path)[0])
        if published is not None and published.sha256 != dataset.index.data_sha256 and not replaced:
            yield (
                f"{dataset.path}: {repository.repo} has other data under this name, and what is published is never "
                "overwritten. Record it as a new version, or add its episodes: "
                f"`pytupli append {repository.repo}/{dataset.path} {dataset.metadata.dataset_id}`."
            )
    theirs, mine = repository.specification, prepared.specification
    if theirs is None:
        missing = set(mine.datasets if mine is not None else ()) - {one.path for one in prepared.datasets}
        yield from (
            f"{name}: {BENCHMARK} lists the dataset, and it is neither here nor in {repository.repo}."
            for name in sorted(missing - set(repository.datasets))
        )
        return
    if mine is not None:
        yield from _differences(repository, theirs, mine)
    else:
        yield from _misfits(theirs, prepared)


def _differences(
    repository: Repository, theirs: BenchmarkSpecification, mine: BenchmarkSpecification
) -> Iterator[str]:
    if identity_of(theirs) != identity_of(mine) and theirs.version == mine.version:
        yield (
            f"{BENCHMARK}: {repository.repo} holds another benchmark (another environment or protocol) under the same "
            f"version {mine.version!r}, so that scores could not be compared. Give this one another name or version."
        )
    for kind in ("artifacts", "policies"):
        here, there = getattr(mine, kind), getattr(theirs, kind)
        for name in sorted(here.keys() & there.keys()):
            if (
                kind == "artifacts"
                and here[name].sha256 != there[name].sha256
                and theirs.version == mine.version
            ):
                yield (
                    f"artifacts.{name}: {repository.repo} has another file under this name. Use another name, or give "
                    "the benchmark a new version."
                )


def _misfits(theirs: BenchmarkSpecification, prepared: Prepared) -> Iterator[str]:
    for dataset in prepared.datasets:
        for key in ("observation_space", "action_space"):
            if not same_space(getattr(theirs.environment, key), getattr(dataset.metadata, key)):
                yield f"{dataset.path}: its {key.replace('_', ' ')} is not that of the published benchmark."
        if theirs.data_only and (dataset.metadata.env_spec or dataset.metadata.extra.get("eval_env_spec")):
            yield (
                f"{dataset.path}: its metadata.json names the environment, which the benchmark does not share. "
                "Take `env_spec` and `eval_env_spec` out."
            )


def _specification(repository: Repository, prepared: Prepared) -> BenchmarkSpecification | None:
    """Return the benchmark as it will be: the local one, and what others have published to it beside."""
    theirs, mine = repository.specification, prepared.specification
    base = mine or theirs
    if base is None:
        return None
    entries = {**(theirs.datasets if theirs is not None else {})}
    entries = {name: entry for name, entry in entries.items() if name in repository.datasets}
    known = {**entries, **base.datasets}
    for dataset in prepared.datasets:
        if "/" not in dataset.path:
            entries[dataset.path] = dataset.entry(known.get(dataset.path))
    update: dict[str, Any] = {"datasets": dict(sorted(entries.items()))}
    if theirs is not None and mine is not None and identity_of(theirs) == identity_of(mine):
        update |= {key: {**getattr(theirs, key), **getattr(mine, key)} for key in _MERGED}
    return base.model_copy(update=update)


def _files(
    repository: Repository, prepared: Prepared, specification: BenchmarkSpecification | None
) -> Iterator[Addition]:
    """Yield everything but the card and the provenance."""
    yield from {file.path: file for file in prepared.files}.values()
    for dataset in prepared.datasets:
        data, metadata, index = data_files(dataset.path)
        yield Addition(data, dataset.data_path, dataset.index.data_sha256)
        yield Addition(metadata, dataset.metadata_bytes())
        yield _index(repository, dataset, index)
    if specification is not None:
        yield Addition(BENCHMARK, specification_to_json(specification).encode())
    yield from _namespaces(repository, prepared, specification)


def _index(repository: Repository, dataset: LocalDataset, path: str) -> Addition:
    """Return the index; the published one where it says the same in other bytes, as another release of Arrow does."""
    local = Addition(path, dataset.index_path)
    published = repository.look([path, data_files(dataset.path)[0]])
    if repository.snapshot is None or len(published) < 2 or not changed_files(repository, [local]):
        return local
    if published[data_files(dataset.path)[0]].sha256 != dataset.index.data_sha256:
        return local
    place = repository.snapshot.local(path, 1 << 30)
    try:
        same = place is not None and same_index(read_index(place), dataset.index)
    except PytupliError:  # damaged: ours replaces it
        return local
    return Addition(path, place) if same and place is not None else local


def _namespaces(
    repository: Repository, prepared: Prepared, specification: BenchmarkSpecification | None
) -> Iterator[Addition]:
    added = {*(one.path for one in prepared.datasets), *repository.datasets}
    description = specification.description.partition("\n")[0][:500] if specification is not None else ""
    yield Addition(
        NAMESPACE,
        merged_namespace(
            repository.read(NAMESPACE),
            prepared.namespace,
            name=repository.name,
            added=added,
            description=description,
        ),
    )
    for folder in sorted({path.rpartition("/")[0] for path in added} - {""}):
        for depth in range(1, folder.count("/") + 2):
            path = "/".join([*folder.split("/")[:depth], NAMESPACE])
            yield Addition(path, repository.read(path) or b"{}")


def _steps(prepared: Prepared, origins: Origins, changed: set[str]) -> list[Step]:
    steps = []
    if prepared.specification is not None and changed & {BENCHMARK, *(file.path for file in prepared.files)}:
        steps.append(Step(origins.action, None, origins.by, sources=_recipe(prepared.specification)))
    for dataset in prepared.datasets:
        if changed & set(data_files(dataset.path)):
            data = dataset.entry(None).model_dump(exclude={"description"})
            sources = origins.sources.get(dataset.path) or _told_origin(dataset)
            steps.append(Step(origins.action, dataset.path, origins.by, data=data, sources=sources))
    return steps


def _recipe(specification: BenchmarkSpecification) -> tuple[Mapping[str, Any], ...]:
    recipe = specification.metadata.get("recipe")
    return ({"recipe": recipe, "identity": identity_of(specification)},) if recipe else ()


def _told_origin(dataset: LocalDataset) -> tuple[Mapping[str, Any], ...]:
    """Return what the metadata of a dataset says of the data that it was made of."""
    keys = (
        "filtered_from",
        "episode_filter",
        "step_filter",
        "source_commit",
        "merged_from",
        "recipe",
        "code_permalink",
    )
    told = {key: dataset.metadata.extra[key] for key in keys if dataset.metadata.extra.get(key)}
    return (told,) if told else ()


def _text(repository: Repository, prepared: Prepared, card: CardChoice | None) -> str | None:
    mine, theirs = prepared.card, repository.card
    if card is not None and mine is not None and theirs is not None:
        return choose_text(mine, theirs, hand_digest(theirs if card == "local" else mine))
    return choose_text(mine, theirs, repository.provenance.card)


def _written(
    repository: Repository,
    prepared: Prepared,
    specification: BenchmarkSpecification | None,
    text: str,
    steps: list[Step],
) -> tuple[Addition, Addition]:
    """Return the card and the provenance."""
    provenance = repository.provenance.with_steps(*steps)
    present = tuple(sorted({*(one.path for one in prepared.datasets), *repository.datasets}))
    facts = CardFacts(
        repository.repo,
        specification,
        tuple(prepared.datasets),
        present,
        _step_count(repository, prepared),
        provenance,
    )
    made = made_card(text, facts)
    provenance = replace(provenance, card=hand_digest(made))
    return Addition(CARD, made.encode()), Addition(PROVENANCE, provenance.to_json())


def _step_count(repository: Repository, prepared: Prepared) -> int:
    """Return the steps of all datasets, as far as files that are read anyway tell."""
    counts = dict.fromkeys(repository.datasets, 0)
    for step in repository.provenance.steps:
        if step.dataset in counts and isinstance(step.data.get("steps"), int):
            counts[step.dataset] = step.data["steps"]
    counts |= {one.path: one.index.table.step_count for one in prepared.datasets}
    return sum(counts.values())
