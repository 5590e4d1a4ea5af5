"""Searching datasets by what is known of them. This is no part of the Hub's protocol but our own."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, Segment
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.routes.answers import date_text, page_of, page_response, read_cursor
from pytupli_registry.server.services.datasets.facts import facts_of
from pytupli_registry.server.services.datasets.search import DatasetSearch, Found, search_datasets
from pytupli_registry.server.services.datasets.statistics import UNREAD
from pytupli_registry.server.services.listing import tags_of
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.wire.names import RepoId, RepoType

if TYPE_CHECKING:
    from pytupli_registry.server.database.schema import DatasetFacts

__all__ = ["facts_json", "router"]

router = APIRouter(tags=["datasets"])

LARGEST = 1 << 53
MOST_WORDS = 20


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds NUL, which no name does")
    return text


Line = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_storable)]
Count = Annotated[int | None, Field(ge=0, le=LARGEST)]
Number = Annotated[float | None, Field(allow_inf_nan=False)]


class Spread(BaseModel):
    """Of one number per episode."""

    min: float
    mean: float
    max: float
    std: float


class DatasetEntry(BaseModel):
    """What is known of one dataset at the head of ``main``; members that are not known are null or missing.

    Attributes:
        path: its folder in the repository.
        dataset_id: Minari's id, as ``metadata.json`` says.
        environment: Gymnasium's id of the environment it was recorded in.
        format: ``hdf5``, ``arrow`` or ``parquet``.
        observation_space: type, shape and dtype; bounds only where all are the same number.
        action_space: likewise.
        size: bytes of its files.
        returns: undiscounted returns of the episodes, from ``episodes.parquet``.
        score: mean return, where the random policy of the benchmark has 0 and the expert 100.
        quality: numbers by name, as ``metadata.json`` has them.
        lengths: steps of the episodes.
        terminated: share of the episodes that ended in a terminal state.
        truncated: share of the episodes that were cut off.
        warnings: what is odd about its files.
    """

    model_config = ConfigDict(
        extra="allow"
    )  # author, description, requirements, …: as metadata.json has them

    path: str
    dataset_id: str
    environment: str | None
    format: str | None
    minari_version: str | None
    observation_space: dict[str, Any] | None = None
    action_space: dict[str, Any] | None = None
    total_episodes: int | None
    total_steps: int | None
    size: int | None
    returns: Spread | None
    score: float | None = None
    quality: dict[str, float] | None = None
    lengths: Spread | None = None
    terminated: float | None = None
    truncated: float | None = None
    warnings: list[str] = []


class FoundDataset(DatasetEntry):
    """A dataset and its repository.

    Attributes:
        id: the repository, ``namespace/name``.
        reference: what ``pytupli`` calls the dataset.
    """

    id: str
    reference: str
    private: bool
    gated: bool | str
    lastModified: datetime  # noqa: N815 - as the Hub spells it
    downloads: int
    likes: int
    tags: list[str]


class Wanted(BaseModel):
    """What is asked for; everything given must hold.

    Attributes:
        search: words that are in a name, an id, the environment or the description.
        author: owner of the repository.
        environment: Gymnasium's id; without a version, all versions.
        observation: kind of the observation space, ``Box``.
        action: kind of the action space.
        space: kind of either space.
        format: ``hdf5``, ``arrow`` or ``parquet``.
        tag: tags that the repository has; ``license:mit`` is one.
        min_return: of the mean over a dataset's episodes, as the other bounds of returns and scores.
        min_score: on the scale from the random policy (0) to the expert (100).
        sort: ``updated``, ``created``, ``downloads``, ``likes``, ``episodes``, ``steps``, ``size``, ``return``, ``score``.
    """

    search: Annotated[list[Line], Field(max_length=MOST_WORDS)] = []
    author: Line | None = None
    environment: Line | None = None
    observation: Line | None = None
    action: Line | None = None
    space: Line | None = None
    format: Line | None = None
    tag: Annotated[list[Line], Field(max_length=MOST_WORDS)] = []
    min_episodes: Count = None
    max_episodes: Count = None
    min_steps: Count = None
    max_steps: Count = None
    min_size: Count = None
    max_size: Count = None
    min_return: Number = None
    max_return: Number = None
    min_score: Number = None
    max_score: Number = None
    sort: str = "updated"
    direction: Literal["asc", "desc"] = "desc"
    limit: Annotated[int | None, Field(ge=1)] = None
    cursor: str | None = None

    def search_for(self) -> DatasetSearch:
        """Return what the service looks for.

        Raises:
            BadRequest: too many words.
        """
        words = [word for text in self.search for word in text.split()]
        if len(words) > MOST_WORDS:
            raise BadRequest(f"Search for at most {MOST_WORDS} words at once.")
        return DatasetSearch(
            words=words,
            author=self.author,
            environment=self.environment,
            observation=self.observation,
            action=self.action,
            space=self.space,
            data_format=self.format,
            tags=self.tag,
            episodes=(self.min_episodes, self.max_episodes),
            steps=(self.min_steps, self.max_steps),
            size=(self.min_size, self.max_size),
            returns=(self.min_return, self.max_return),
            score=(self.min_score, self.max_score),
            sort=self.sort,
            ascending=self.direction == "asc",
        )


@router.get("/api/registry/datasets", response_model=list[FoundDataset])
def search(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    wanted: Annotated[Wanted, Query()],
) -> Response:
    """Find datasets whose files the caller may read. Pages follow each other by ``Link``."""
    with hub.database.read() as session:
        found, after = search_datasets(
            session,
            caller,
            wanted.search_for(),
            count=page_of(hub, wanted.limit),
            cursor=read_cursor(wanted.cursor),
        )
        tags = tags_of(session, [one.repository.id for one in found])
        entries = [_entry(one, tags[one.repository.id]) for one in found]
    return page_response(request, base, entries, after)


def _entry(found: Found, tags: list[str]) -> dict[str, Any]:
    repository = found.repository
    return {
        "id": repository.full_name,
        "reference": _reference(repository.full_name, found.facts.path),
        **facts_json(found.facts),
        "private": repository.visibility == "private",
        "gated": False if repository.gated == "no" else repository.gated,
        "lastModified": date_text(repository.updated_at),
        "downloads": repository.downloads,
        "likes": repository.likes,
        "tags": tags,
    }


@router.get("/api/registry/datasets/{namespace}/{name}", response_model=list[DatasetEntry])
def datasets_of_repository(
    hub: CurrentHub, caller: CurrentCaller, namespace: Segment, name: Segment
) -> Response:
    """Tell what is known of the datasets of one repository."""
    repo_id = RepoId.parse(RepoType.DATASET, f"{namespace}/{name}")
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.READ)
        return JSONResponse([facts_json(row) for row in facts_of(session, repository.id)])


def _reference(full_name: str, path: str) -> str:
    return f"{full_name}/{path}" if path else full_name


def facts_json(row: DatasetFacts) -> dict[str, Any]:
    """Return the facts of a dataset as clients read them."""
    returns = {"min": row.return_min, "mean": row.return_mean, "max": row.return_max, "std": row.return_std}
    return {
        "path": row.path,
        "dataset_id": row.dataset_id,
        "environment": row.environment_id,
        "format": row.data_format,
        "minari_version": row.minari_version,
        "total_episodes": row.total_episodes,
        "total_steps": row.total_steps,
        "size": row.size,
        "returns": None if row.return_mean is None else returns,
        "score": row.score,
        **{name: value for name, value in row.further.items() if name != UNREAD},
    }
