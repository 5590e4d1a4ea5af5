"""All tags, by what they tell about."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from pytupli_registry.server.dependencies import CurrentCaller, CurrentHub
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.tag_catalogue import OTHER, tags_by_type
from pytupli_registry.server.wire.names import RepoType

__all__ = ["router"]

router = APIRouter(tags=["repositories"])


@router.get("/api/datasets-tags-by-type")
def dataset_tags(hub: CurrentHub, caller: CurrentCaller) -> dict[str, list[dict[str, Any]]]:
    """List the tags of datasets."""
    return _shown(hub, caller, RepoType.DATASET)


@router.get("/api/models-tags-by-type")
def model_tags(hub: CurrentHub, caller: CurrentCaller) -> dict[str, list[dict[str, Any]]]:
    """List the tags of models."""
    return _shown(hub, caller, RepoType.MODEL)


def _shown(hub: Hub, caller: Caller, type_: RepoType) -> dict[str, list[dict[str, Any]]]:
    with hub.database.read() as session:
        grouped = tags_by_type(session, caller, type_)
    return {kind: [_tag(kind, tag) for tag in tags] for kind, tags in grouped.items()}


def _tag(kind: str, tag: str) -> dict[str, Any]:
    return {"id": tag, "label": tag if kind == OTHER else tag.partition(":")[2], "type": kind}
