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
from pytupli_registry.server.services.datasets.search import DatasetSearch, search_datasets
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
Text = Annotated[Line | None, Query()]
Texts = Annotated[list[Line], Query(max_length=MOST_WORDS)]
Count = Annotated[int | None, Query(ge=0, le=LARGEST)]
Number = Annotated[float | None, Query(allow_inf_nan=False)]


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


@router.get("/api/registry/datasets", response_model=list[FoundDataset])
def search(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    search: Texts = [],  # noqa: B006 - FastAPI copies it
    author: Text = None,
    environment: Text = None,
    observation: Text = None,
    action: Text = None,
    format: Text = None,  # noqa: A002 - the name in the query
    tag: Texts = [],  # noqa: B006
    min_episodes: Count = None,
    max_episodes: Count = None,
    min_steps: Count = None,
    max_steps: Count = None,
    min_return: Number = None,
    max_return: Number = None,
    sort: str = "updated",
    direction: Literal["asc", "desc"] = "desc",
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """Find datasets whose files the caller may read; what is asked for must all hold.

    ``search`` takes words that are in a name, an id, the environment or the description; ``environment`` without
    a version means all versions; returns are means over a dataset's episodes. Pages follow each other by ``Link``.
    """
    words = [word for text in search for word in text.split()]
    if len(words) > MOST_WORDS:
        raise BadRequest(f"Search for at most {MOST_WORDS} words at once.")
    wanted = DatasetSearch(
        words=words,
        author=author,
        environment=environment,
        observation=observation,
        action=action,
        data_format=format,
        tags=tag,
        episodes=(min_episodes, max_episodes),
        steps=(min_steps, max_steps),
        returns=(min_return, max_return),
        sort=sort,
        ascending=direction == "asc",
    )
    with hub.database.read() as session:
        found, after = search_datasets(
            session, caller, wanted, count=page_of(hub, limit), cursor=read_cursor(cursor)
        )
        tags = tags_of(session, [one.repository.id for one in found])
        entries = [
            {
                "id": one.repository.full_name,
                "reference": _reference(one.repository.full_name, one.facts.path),
                **facts_json(one.facts),
                "private": one.repository.visibility == "private",
                "gated": False if one.repository.gated == "no" else one.repository.gated,
                "lastModified": date_text(one.repository.updated_at),
                "downloads": one.repository.downloads,
                "likes": one.repository.likes,
                "tags": tags[one.repository.id],
            }
            for one in found
        ]
    return page_response(request, base, entries, after)


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
        **{name: value for name, value in row.further.items() if name != UNREAD},
    }
