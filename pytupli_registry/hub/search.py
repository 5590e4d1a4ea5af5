"""Looking for datasets on a Hub: ours knows facts about each dataset, others know repositories by name and tag."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pytupli_registry.errors import HubError, HubUnreachable
from pytupli_registry.hub.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytupli_registry.hub.snapshots import Hub

__all__ = ["SORTS", "Found", "Query", "Repository", "Spread", "facts_search", "list_repositories", "unlisted"]

SORTS = ("updated", "created", "downloads", "likes", "episodes", "steps", "size", "return", "score")
Bounds = tuple[float | None, float | None]
_ANY: Bounds = (None, None)
_PAGE = 100
_LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; everything given must hold. Letters' case does not matter.

    Attributes:
        words: each of them is in a name, an id, the environment or the description.
        organization: the owner of the repository: an organization or a user.
        tags: tags that the repository has.
        environment: Gymnasium's id; without a version, all versions.
        space: kind of the observation space or of the action space, ``box``.
        observation: kind of the observation space.
        action: kind of the action space.
        licence: as huggingface.co spells it, ``cc-by-4.0``.
        episodes: least and largest number of episodes.
        steps: least and largest number of steps.
        size: least and largest number of bytes.
        returns: least and largest mean return.
        score: least and largest score: the mean return where the random policy has 0 and the expert 100.
        quality: least and largest value of numbers by name, as the metadata or the facts have them.
        sort: one of :data:`SORTS`.
        ascending: the smallest, or oldest, first.
    """

    words: tuple[str, ...] = ()
    organization: str | None = None
    tags: tuple[str, ...] = ()
    environment: str | None = None
    space: str | None = None
    observation: str | None = None
    action: str | None = None
    licence: str | None = None
    episodes: Bounds = _ANY
    steps: Bounds = _ANY
    size: Bounds = _ANY
    returns: Bounds = _ANY
    score: Bounds = _ANY
    quality: Mapping[str, Bounds] = field(default_factory=dict)
    sort: str = "updated"
    ascending: bool = False

    @property
    def all_tags(self) -> tuple[str, ...]:
        """Tags, with that of the licence."""
        return (*self.tags, *([f"license:{self.licence}"] if self.licence else []))


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one number per episode."""

    min: float
    mean: float
    max: float
    std: float


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset that was found; None for what is not known of it.

    Attributes:
        reference: what loads it: ``acme/hvac/summer-v0``.
        repo: its repository.
        dataset_id: Minari's id.
        environment: Gymnasium's id of the environment.
        observation: kind of the observation space.
        action: kind of the action space.
        episodes: number of episodes.
        steps: number of steps.
        size: bytes of its files.
        returns: of the episodes.
        score: mean return where the random policy of its benchmark has 0 and the expert 100.
        quality: further numbers by name, such as ``terminated``, the share of episodes that end in a terminal state.
        private: whether only those may read it who were let in.
        gated: whether one has to ask first.
        updated: when the repository was last changed, in ISO 8601.
        downloads: of the repository.
        likes: of the repository.
        tags: of the repository.
        description: for people.
        warnings: what is odd about its files.
    """

    reference: str
    repo: str
    dataset_id: str
    environment: str | None = None
    observation: str | None = None
    action: str | None = None
    episodes: int | None = None
    steps: int | None = None
    size: int | None = None
    returns: Spread | None = None
    score: float | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    updated: str | None = None
    created: str | None = None
    downloads: int = 0
    likes: int = 0
    tags: tuple[str, ...] = ()
    description: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repository:
    """A dataset repository of any Hub, as its listing tells."""

    name: str
    private: bool
    gated: bool
    updated: str | None
    created: str | None
    downloads: int
    likes: int
    tags: tuple[str, ...]
    description: str


def facts_search(hub: Hub, query: Query, *, page_size: int) -> Iterator[Found] | None:
    """Ask a Hub of ours, which answers everything but numbers of quality; None where the Hub is no such one.

    Args:
        hub: to ask.
        query: what is looked for; ``quality`` is for the caller to check.
        page_size: how many the Hub sends at once.

    Raises:
        HubError: the Hub refuses.
        HubUnreachable: it does not answer.
    """
    if hub.access.is_public_hub:
        return None
    pages = _connection(hub).pages(f"/api/registry/datasets?{_facts_query(query, page_size)}")
    try:
        first = list(islice(pages, 1))
    except HubUnreachable:
        raise
    except HubError as error:
        if error.status in (404, 405, 501):
            return None
        raise
    return map(_found, chain(first, pages))


def list_repositories(hub: Hub, query: Query, *, word: str | None = None) -> Iterator[Repository]:
    """Iterate over the dataset repositories that one may see, by owner, tags and a word of the name.

    Raises:
        HubError: the Hub refuses.
        HubUnreachable: it does not answer.
    """
    asked: list[tuple[str, str]] = [("limit", str(_PAGE)), ("full", "true")]
    if query.organization:
        asked.append(("author", query.organization))
    if word:
        asked.append(("search", word))
    asked += [("filter", tag) for tag in query.all_tags]
    for said in _connection(hub).pages(f"/api/datasets?{urlencode(asked)}"):
        if isinstance(said, dict) and isinstance(said.get("id"), str) and "/" in said["id"]:
            yield _repository(said)


def unlisted(name: str) -> Repository:
    """Return what is known of a repository that no listing told."""
    return Repository(name, False, False, None, None, 0, 0, (), "")


def _connection(hub: Hub) -> Connection:
    return Connection(hub.endpoint, hub.access.token or False, any_hub=True)


def _facts_query(query: Query, page_size: int) -> str:
    asked: list[tuple[str, Any]] = [("search", word) for word in query.words]
    asked += [("tag", tag) for tag in query.all_tags]
    asked += [
        ("author", query.organization),
        ("environment", query.environment),
        ("space", query.space),
        ("observation", query.observation),
        ("action", query.action),
        ("sort", query.sort),
        ("direction", "asc" if query.ascending else "desc"),
        ("limit", page_size),
    ]
    for name, (least, largest) in (
        ("episodes", query.episodes),
        ("steps", query.steps),
        ("size", query.size),
        ("return", query.returns),
        ("score", query.score),
    ):
        asked += [(f"min_{name}", least), (f"max_{name}", largest)]
    return urlencode([(key, value) for key, value in asked if value is not None])


def _found(said: Any) -> Found:  # noqa: ANN401
    if not isinstance(said, dict) or not isinstance(said.get("reference"), str):
        raise HubUnreachable("What the Hub says about a dataset cannot be understood.")
    quality = said.get("quality")
    numbers = {
        **{name: said.get(name) for name in ("terminated", "truncated")},
        **(quality if isinstance(quality, dict) else {}),
    }
    return Found(
        reference=said["reference"],
        repo=_text(said.get("id")) or "",
        dataset_id=_text(said.get("dataset_id")) or "",
        environment=_text(said.get("environment")),
        observation=_kind(said.get("observation_space")),
        action=_kind(said.get("action_space")),
        episodes=_count(said.get("total_episodes")),
        steps=_count(said.get("total_steps")),
        size=_count(said.get("size")),
        returns=_spread(said.get("returns")),
        score=_number(said.get("score")),
        quality={
            str(name): number for name, value in numbers.items() if (number := _number(value)) is not None
        },
        private=bool(said.get("private")),
        gated=bool(said.get("gated")),
        updated=_text(said.get("lastModified")),
        downloads=_count(said.get("downloads")) or 0,
        likes=_count(said.get("likes")) or 0,
        tags=_texts(said.get("tags")),
        description=_text(said.get("description")) or "",
        warnings=_texts(said.get("warnings")),
    )


def _repository(said: Mapping[str, Any]) -> Repository:
    return Repository(
        name=said["id"],
        private=bool(said.get("private")),
        gated=bool(said.get("gated")),
        updated=_text(said.get("lastModified")),
        created=_text(said.get("createdAt")),
        downloads=_count(said.get("downloads")) or 0,
        likes=_count(said.get("likes")) or 0,
        tags=_texts(said.get("tags")),
        description=_text(said.get("description")) or "",
    )


# What comes from a Hub may be anything: what is not of its type is not known.


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_LARGEST < value < _LARGEST else None  # neither NaN nor what no float holds


def _kind(space: object) -> str | None:
    return _text(space.get("type")) if isinstance(space, dict) else None


def _spread(said: object) -> Spread | None:
    numbers = [
        _number(said.get(key)) if isinstance(said, dict) else None for key in ("min", "mean", "max", "std")
    ]
    known = [number for number in numbers if number is not None]
    return Spread(*known) if len(known) == len(numbers) else None
