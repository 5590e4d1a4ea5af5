"""What is known of repositories at the head of ``main``: card, tags, and the facts of each dataset.

All of it is derived from the tree and can be made again; it changes in the transaction that moves the branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.prepared import Prepared
from pytupli_registry.server.database.schema import DatasetFacts, Repository, RepositoryTag
from pytupli_registry.server.services.datasets.guard import CARD, CARD_LIMIT, MAIN_DATA
from pytupli_registry.server.services.datasets.snapshot import Snapshot
from pytupli_registry.server.services.datasets.statistics import INDEX_NAME, UNREAD, known, sha256_of, unread
from pytupli_registry.server.services.merging import changed_files
from pytupli_registry.server.wire.card import LONGEST_TAG, card_tags, read_card
from pytupli_registry.server.wire.git import EMPTY_TREE
from pytupli_registry.server.wire.json_text import JsonTextError, cleaned, read_object
from pytupli_registry.server.wire.minari import (
    METADATA_LIMIT,
    NAMESPACE_FILE,
    NAMESPACE_LIMIT,
    dataset_folder,
    looks_like_minari,
    metadata_path,
)
from pytupli_registry.server.wire.summary import Summary, benchmark_summary, normalised, summarize

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["facts_of", "refresh"]

BENCHMARK = "benchmark.json"
BENCHMARK_LIMIT = 4 << 20
MOST_FILES = 2000
LONGEST_PATH = 512
LONGEST_DESCRIPTION = 4000
TAGGED = {
    "environment": DatasetFacts.environment_id,
    "format": DatasetFacts.data_format,
    "observation_space": DatasetFacts.observation_kind,
    "action_space": DatasetFacts.action_kind,
}
STALE = f"{INDEX_NAME} does not describe the {MAIN_DATA} beside it"


def refresh(session: Session, hub: Hub, repository: Repository, old_tree: str | None, new_tree: str) -> None:
    """Bring what is derived from the head of ``main`` up to date.

    Args:
        session: the transaction that moves the branch.
        hub: where files are.
        repository: whose branch it is.
        old_tree: what the branch had; None derives everything again.
        new_tree: what it has now.
    """
    changed = {change.path for change in changed_files(session, hub, old_tree or EMPTY_TREE, new_tree)}
    new = Snapshot(session, hub, new_tree)
    told = old_tree is None or not changed.isdisjoint({CARD, BENCHMARK, NAMESPACE_FILE})
    if repository.type == "dataset":
        everything = old_tree is None or BENCHMARK in changed
        told |= _refresh_datasets(repository, new, changed, everything=everything)
    if told:
        _refresh_card(repository, new)
        repository.description = _description(new)
        session.flush()
        _refresh_tags(session, repository, new)


_ROWS = DatasetFacts.__table__.c
_ANY = Prepared(select(_ROWS.path).where(_ROWS.repository_id == bindparam("repository_id")))
_FACTS = (
    select(DatasetFacts)
    .where(DatasetFacts.repository_id == bindparam("repository_id"))
    .order_by(DatasetFacts.path)
)


def facts_of(session: Session, repository_id: int) -> list[DatasetFacts]:
    """Return the facts of a repository's datasets, by path."""
    if _ANY.value(session, {"repository_id": repository_id}) is None:
        return []
    return list(session.scalars(_FACTS, {"repository_id": repository_id}))


def _refresh_datasets(repository: Repository, new: Snapshot, changed: set[str], *, everything: bool) -> bool:
    """Make the rows of datasets again that have changed; return whether there were any."""
    session = new.session
    own = DatasetFacts.repository_id == repository.id
    folders = {folder for path in changed if (folder := dataset_folder(path)) is not None}
    folders |= unread(session, repository.id).keys()
    existing = set(session.scalars(select(DatasetFacts.path).where(own))) if folders or everything else set()
    if everything:
        folders |= existing
    benchmark = _benchmark(new) if folders else {}
    for folder in sorted(folders):
        if len(folder) > LONGEST_PATH:
            continue
        if folder in existing:
            session.execute(delete(DatasetFacts).where(own, DatasetFacts.path == folder))
        row = _row(repository, new, folder, benchmark)
        if row is not None:
            session.add(row)
    session.flush()
    return bool(folders)


def _benchmark(new: Snapshot) -> dict[str, Any]:
    return benchmark_summary(new.read(BENCHMARK, BENCHMARK_LIMIT) or b"")


def _row(
    repository: Repository, new: Snapshot, folder: str, benchmark: Mapping[str, Any]
) -> DatasetFacts | None:
    content = new.read(metadata_path(folder), METADATA_LIMIT)
    if content is None or not looks_like_minari(content):
        return None
    summary = summarize(content)
    said, warnings = _statistics(new, folder)
    returns = said.get("returns") or {}
    size = new.size_below(f"{folder}/data" if folder else "data", MOST_FILES)
    return DatasetFacts(
        repository_id=repository.id,
        path=folder,
        dataset_id=summary.dataset_id,
        environment_id=summary.environment_id or benchmark.get("environment_id"),
        data_format=summary.data_format,
        minari_version=summary.minari_version,
        observation_kind=summary.observation_kind,
        action_kind=summary.action_kind,
        total_episodes=summary.total_episodes,
        total_steps=summary.total_steps,
        size=summary.size if size is None else size,
        return_mean=returns.get("mean"),
        return_min=returns.get("min"),
        return_max=returns.get("max"),
        return_std=returns.get("std"),
        score=_score(returns.get("mean"), summary, benchmark),
        description=summary.further.get("description"),
        further=_further(summary, said, [*summary.warnings, *warnings]),
    )


def _score(mean: float | None, summary: Summary, benchmark: Mapping[str, Any]) -> float | None:
    """Return the score by the benchmark's reference scores, or by those that Minari's metadata has."""
    references = benchmark.get("reference_scores", {})
    if {"random", "expert"} <= references.keys():
        return normalised(mean, references["random"], references["expert"])
    return normalised(mean, summary.further.get("ref_min_score"), summary.further.get("ref_max_score"))


def _further(summary: Summary, said: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "observation_space": summary.observation_space,
        "action_space": summary.action_space,
        **summary.further,
        **{name: said.get(name) for name in ("lengths", "terminated", "truncated", "fields", UNREAD)},
        "warnings": warnings,
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _statistics(new: Snapshot, folder: str) -> tuple[dict[str, Any], list[str]]:
    """Return what the dataset's index of episodes says, if it can be believed, and what is wrong with it."""
    inside = f"{folder}/data" if folder else "data"
    index = new.file(f"{inside}/{INDEX_NAME}")
    if index is None:
        return {}, []
    sha256 = sha256_of(new.session, index)
    said = known(new.session, [sha256]).get(sha256)
    if said is None:
        return {UNREAD: sha256}, ["the index of episodes has not been read yet"]
    if "problem" in said:
        return {}, [f"{INDEX_NAME}: {said['problem']}"]
    described = new.file(f"{inside}/{MAIN_DATA}")
    if described is None or sha256_of(new.session, described) != said.get("data_sha256"):
        return {}, [STALE]
    return said, []


def _refresh_card(repository: Repository, new: Snapshot) -> None:
    content = new.read(CARD, CARD_LIMIT)
    if content is None:
        repository.card = None
        return
    card = read_card(content.decode("utf-8", "replace"), repository.type)
    repository.card = dict(card.metadata) or None


def _description(new: Snapshot) -> str:
    """Return a sentence or two about the repository: of its benchmark, or of its namespace."""
    description = _benchmark(new).get("description")
    if description:
        return str(description)
    try:
        namespace = read_object(new.read(NAMESPACE_FILE, NAMESPACE_LIMIT) or b"{}")
    except JsonTextError:
        return ""
    return cleaned(namespace.get("description"), LONGEST_DESCRIPTION) or ""


def _refresh_tags(session: Session, repository: Repository, new: Snapshot) -> None:
    tags = list(dict.fromkeys(_tags(session, repository, new)))
    session.execute(delete(RepositoryTag).where(RepositoryTag.repository_id == repository.id))
    session.add_all(
        RepositoryTag(repository_id=repository.id, tag=tag, tag_key=tag.lower(), position=position)
        for position, tag in enumerate(tags)
    )
    session.flush()


def _tags(session: Session, repository: Repository, new: Snapshot) -> Iterator[str]:
    yield from card_tags(repository.card or {}, repository.type)
    if repository.type != "dataset":
        return
    rows = session.execute(select(*TAGGED.values()).where(DatasetFacts.repository_id == repository.id)).all()
    if rows:
        yield "minari"
    if new.has(BENCHMARK):
        yield "benchmark"
    for name, values in zip(TAGGED, zip(*rows, strict=True), strict=False):
        yield from _named(name, set(values))


def _named(name: str, values: Iterable[str | None]) -> Iterator[str]:
    for value in sorted(value for value in values if value):
        tag = f"{name}:{value}"
        if len(tag.lower()) <= LONGEST_TAG:
            yield tag
