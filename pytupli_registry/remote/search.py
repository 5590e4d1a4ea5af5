"""Finding datasets: by the facts that a Hub of ours knows, or by reading the descriptions of what others list."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.errors import HubError, HubUnreachable, PytupliError
from pytupli_registry.hub.search import SORTS, Found, Query, Spread, facts_search, list_repositories, unlisted
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.storage.index import read_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytupli_registry.hub.search import Bounds, Repository
    from pytupli_registry.hub.snapshots import Snapshot

__all__ = ["Description", "Results", "describe_repository", "find_datasets"]

MOST_REPOSITORIES = 100
_MOST_DATASETS = 200
_LARGEST_METADATA = 64 << 20
_LARGEST_INDEX = 1 << 30
_FILES = ("main_data.hdf5", "metadata.json", "episodes.parquet")
_METADATA = re.compile(r"(?P<path>.+)/data/metadata\.json")
_VERSIONED = re.compile(r".+-v\d+")
_LARGEST_PAGE = 100


class Results(list[Found]):
    """One page of what was found.

    Attributes:
        more: whether there are further pages.
        notes: what the Hub could not answer itself, and what was done about it; for people.
    """

    def __init__(self, found: Iterable[Found], *, more: bool, notes: tuple[str, ...] = ()) -> None:
        super().__init__(found)
        self.more = more
        self.notes = notes


def find_datasets(query: Query, *, limit: int = 20, page: int = 1, hub: Hub | None = None) -> Results:
    """Find datasets that one may read.

    Args:
        query: what is looked for.
        limit: how many to return.
        page: which page of so many, from 1 on.
        hub: to ask; None takes the one that is meant.

    Raises:
        HubError: the query cannot be asked, or the Hub refuses.
        HubUnreachable: no Hub answers.
    """
    if query.sort not in SORTS:
        raise HubError(f"Datasets are not sorted by {query.sort!r:.60}.", hint=f"Use {', '.join(SORTS)}.")
    if limit < 1 or page < 1:
        raise HubError("A page holds one dataset or more, and the first page is 1.")
    there = hub or Hub()
    first = (page - 1) * limit
    known = facts_search(there, query, page_size=min(first + limit + 1, _LARGEST_PAGE))
    notes: tuple[str, ...] = ()
    if known is None:
        candidates = _Candidates(there, query)
        known, notes = iter(candidates.found()), tuple(candidates.notes)
    passing = (found for found in known if _has_quality(found, query.quality))
    taken = list(islice(passing, first, first + limit + 1))
    return Results(taken[:limit], more=len(taken) > limit, notes=notes)


@dataclass(frozen=True, slots=True)
class Description:
    """What a repository holds at one commit.

    Attributes:
        repo: its name.
        commit: in full.
        benchmark: what ``benchmark.json`` says, as it is; empty without one.
        datasets: in it.
        notes: what could not be read.
    """

    repo: str
    commit: str
    benchmark: Mapping[str, Any]
    datasets: list[Found]
    notes: tuple[str, ...] = ()


class _Candidates:
    """Repositories of a Hub that knows no facts about datasets; what is in them is read one by one.

    Args:
        hub: to ask.
        query: what is looked for.
    """

    def __init__(self, hub: Hub, query: Query) -> None:
        self._hub = hub
        self._query = query
        self.notes: list[str] = []
        self._about: dict[str, str] = {}

    def found(self) -> list[Found]:
        """Return everything that was found, sorted."""
        repositories = self._repositories()
        found = [
            one
            for repository in repositories
            for one in self._in(repository)
            if _matches(one, self._query, self._about[one.repo])
        ]
        asked = f"{self._hub.endpoint} finds repositories by owner, name and tag."
        self.notes.insert(0, f"{asked} All else was read in the files of {len(repositories)} of them.")
        return sorted(
            found, key=lambda one: _sort_key(one, self._query.sort), reverse=not self._query.ascending
        )

    def _repositories(self) -> list[Repository]:
        query = self._query
        if query.organization is None and "minari" not in query.tags:
            # All the world's datasets are too many to look into.
            query = replace(query, tags=(*query.tags, "minari"))
            self.notes.append(
                "Only repositories tagged 'minari' were looked at; name an owner for all of theirs."
            )
        words: tuple[str | None, ...] = (None,) if query.organization else (query.words or (None,))
        found: dict[str, Repository] = {}
        for word in words:
            listed = list(islice(list_repositories(self._hub, query, word=word), MOST_REPOSITORIES + 1))
            found.update({one.name: one for one in listed})
        if len(found) > MOST_REPOSITORIES:
            self.notes.append(
                f"There are more than {MOST_REPOSITORIES} such repositories: ask more narrowly."
            )
        return list(found.values())[:MOST_REPOSITORIES]

    def _in(self, repository: Repository) -> Iterator[Found]:
        try:
            yield from self.at(self._hub.snapshot(repository.name), repository)
        except HubUnreachable:
            raise
        except HubError as error:  # gated, or gone meanwhile: the others are found all the same
            self.notes.append(f"{repository.name} cannot be read: {error.message}")

    def at(self, snapshot: Snapshot, repository: Repository) -> Iterator[Found]:
        """Describe the datasets of a repository at one commit."""
        snapshot.look(["benchmark.json", "namespace_metadata.json"])  # in one request
        benchmark = _benchmark(snapshot)
        self._about[repository.name] = f"{_text(benchmark.get('description'))} {repository.description}"
        for path in _dataset_paths(snapshot)[:_MOST_DATASETS]:
            try:
                yield self._describe(repository, snapshot, path, benchmark)
            except HubUnreachable:
                raise
            except PytupliError as error:
                self.notes.append(f"{repository.name}/{path} cannot be read: {error.message}")

    def _describe(
        self, repository: Repository, snapshot: Snapshot, path: str, benchmark: Mapping[str, Any]
    ) -> Found:
        content = snapshot.read(f"{path}/data/metadata.json", _LARGEST_METADATA)
        metadata = DatasetMetadata.from_json(content, path=f"{repository.name}/{path}/data/metadata.json")
        returns, shares = self._statistics(snapshot, path)
        quality = metadata.extra.get("quality")
        numbers = {
            name: value
            for name, value in (quality if isinstance(quality, dict) else {}).items()
            if _is_number(value)
        }
        environment = benchmark.get("environment")
        return Found(
            reference=f"{repository.name}/{path}",
            repo=repository.name,
            dataset_id=metadata.dataset_id,
            environment=metadata.environment_id
            or (environment.get("id") if isinstance(environment, dict) else None),
            observation=_kind(metadata.observation_space),
            action=_kind(metadata.action_space),
            episodes=metadata.total_episodes,
            steps=metadata.total_steps,
            size=_size(snapshot, path),
            returns=returns,
            score=_score(returns, metadata, benchmark),
            quality={**shares, **numbers},
            private=repository.private,
            gated=repository.gated,
            updated=repository.updated,
            created=repository.created,
            downloads=repository.downloads,
            likes=repository.likes,
            tags=repository.tags,
            description=_text(metadata.extra.get("description")) or self._about[repository.name].strip(),
        )

    def _statistics(self, snapshot: Snapshot, path: str) -> tuple[Spread | None, dict[str, float]]:
        """Return what the index says, if it is asked for: it is larger than the rest."""
        query = self._query
        if (
            query.returns == query.score == (None, None)
            and query.sort not in ("return", "score")
            and not query.quality
        ):
            return None, {}
        place = f"{path}/data/episodes.parquet"
        if place not in snapshot.files:
            return None, {}
        local = snapshot.local(place, _LARGEST_INDEX)
        if local is None:
            return None, {}
        fields = read_index(local).table.fields
        returns = fields["total_return"].values
        spread = Spread(*(float(of(returns)) for of in (np.min, np.mean, np.max, np.std)))
        shares = {name: float(np.mean(fields[name].values)) for name in ("terminated", "truncated")}
        return spread, shares


def _dataset_paths(snapshot: Snapshot) -> list[str]:
    """Return the folders of the datasets: as Minari's namespace file lists them, or as they are found."""
    listed = _object(snapshot, "namespace_metadata.json").get("datasets")
    if isinstance(listed, list) and listed:
        # "hvac/summer-v0" lies in the folder summer-v0 of the repository hvac.
        paths = [str(one).split("/", 1)[1] for one in listed if isinstance(one, str) and "/" in one]
        wanted = [f"{path}/data/{name}" for path in paths[:_MOST_DATASETS] for name in _FILES]
        present = snapshot.look(wanted)  # in one request
        return [path for path in paths if f"{path}/data/metadata.json" in present]
    return sorted(match["path"] for file in snapshot.files if (match := _METADATA.fullmatch(file)))


def _benchmark(snapshot: Snapshot) -> Mapping[str, Any]:
    found = _object(snapshot, "benchmark.json")
    return found if found.get("format") == "pytupli-benchmark" else {}


def _object(snapshot: Snapshot, path: str) -> Mapping[str, Any]:
    if path not in snapshot.files:
        return {}
    try:
        loaded = json.loads(snapshot.read(path, _LARGEST_METADATA))
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _size(snapshot: Snapshot, path: str) -> int:
    return sum(file.size for file in snapshot.look(f"{path}/data/{name}" for name in _FILES).values())


def _score(returns: Spread | None, metadata: DatasetMetadata, benchmark: Mapping[str, Any]) -> float | None:
    """Return the mean return between the random policy (0) and the expert (100), as our Hubs compute it."""
    references = benchmark.get("reference_scores")
    named = references if isinstance(references, dict) else {}
    random, expert = (_mean(named.get(name)) for name in ("random", "expert"))
    if random is None or expert is None:
        random, expert = (_mean({"mean": metadata.extra.get(f"ref_{end}_score")}) for end in ("min", "max"))
    if returns is None or random is None or expert is None or random == expert:
        return None
    return 100 * (returns.mean - random) / (expert - random)


def _mean(entry: object) -> float | None:
    mean = entry.get("mean") if isinstance(entry, dict) else None
    return float(mean) if _is_number(mean) else None


def _matches(found: Found, query: Query, about: str) -> bool:
    kinds = {(found.observation or "").lower(), (found.action or "").lower()}
    texts = (found.reference, found.dataset_id, found.environment or "", found.description, about)
    text = " ".join(texts).lower()
    mean = None if found.returns is None else found.returns.mean
    return (
        all(word.lower() in text for word in query.words)
        and _is_environment(found.environment, query.environment)
        and (query.space is None or query.space.lower() in kinds)
        and query.observation in (None, *_spellings(found.observation, query.observation))
        and query.action in (None, *_spellings(found.action, query.action))
        and _within(found.episodes, query.episodes)
        and _within(found.steps, query.steps)
        and _within(found.size, query.size)
        and _within(mean, query.returns)
        and _within(found.score, query.score)
    )


def _has_quality(found: Found, wanted: Mapping[str, Bounds]) -> bool:
    return all(_within(found.quality.get(name), bounds) for name, bounds in wanted.items())


def _spellings(kind: str | None, wanted: str | None) -> tuple[str, ...]:
    return (wanted,) if kind and wanted and kind.lower() == wanted.lower() else ()


def _is_environment(found: str | None, wanted: str | None) -> bool:
    if wanted is None:
        return True
    name = (found or "").lower()
    if _VERSIONED.fullmatch(wanted):
        return name == wanted.lower()
    return name == wanted.lower() or name.startswith(f"{wanted.lower()}-v")


def _within(value: float | None, bounds: Bounds) -> bool:
    least, largest = bounds
    if bounds == (None, None):
        return True
    return value is not None and (least is None or value >= least) and (largest is None or value <= largest)


def describe_repository(repo: str, revision: str | None = None, hub: Hub | None = None) -> Description:
    """Return what a repository holds at a revision: its benchmark and datasets; nothing of the data travels.

    Raises:
        RepositoryNotFound, RevisionNotFound: there is none, or none that one may read.
        HubError: the Hub refuses, or cannot be reached.
    """
    there = hub or Hub()
    snapshot = there.snapshot(repo, revision)
    listing = Query(organization=repo.split("/", maxsplit=1)[0])
    owned = list_repositories(there, listing, word=repo.split("/", 1)[1])
    known = next((one for one in owned if one.name == repo), unlisted(repo))
    candidates = _Candidates(there, listing)
    found = list(candidates.at(snapshot, known))
    return Description(repo, snapshot.commit, _benchmark(snapshot), found, tuple(candidates.notes))


def _sort_key(found: Found, sort: str) -> Any:  # noqa: ANN401 - a text or a number
    if sort in ("updated", "created"):
        return (getattr(found, sort) or "", found.reference)
    value = (
        (None if found.returns is None else found.returns.mean) if sort == "return" else getattr(found, sort)
    )
    return (-math.inf if value is None else value, found.reference)


def _kind(space: Mapping[str, Any]) -> str | None:
    return _text(space.get("type")) or None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300
