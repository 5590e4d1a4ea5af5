"""A repository as clients read it (DatasetInfo, ModelInfo, SpaceInfo)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.routes.answers import date_text
from pytupli_registry.server.routes.datasets import facts_json
from pytupli_registry.server.services.datasets.facts import facts_of
from pytupli_registry.server.services.files import File, files_of
from pytupli_registry.server.services.listing import tags_of
from pytupli_registry.server.services.repositories import head_of
from pytupli_registry.server.services.revisions import tree_of
from pytupli_registry.server.services.trees import all_files
from pytupli_registry.server.wire.names import RepoType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytupli_registry.server.database.engine import Session
    from pytupli_registry.server.database.schema import Repository
    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.sight import SeenRepository, SeenRevision

__all__ = ["checked_expand", "list_json", "repository_json"]

# What the client's own types allow (ExpandDatasetProperty_T and its like), and what only this Hub has.
COMMON = (
    "author", "cardData", "createdAt", "disabled", "downloads", "downloadsAllTime", "gated", "lastModified", "likes",
    "private", "resourceGroup", "sha", "siblings", "tags", "trendingScore", "usedStorage", "xetEnabled",
)  # fmt: skip
EXPANDABLE = {
    RepoType.DATASET: (*COMMON, "citation", "description", "mainSize", "paperswithcode_id"),
    RepoType.MODEL: (
        *COMMON, "baseModels", "childrenModelCount", "config", "evalResults", "gguf", "inference",
        "inferenceProviderMapping", "library_name", "mask_token", "model-index", "pipeline_tag", "safetensors",
        "security_repo_status", "spaces", "transformersInfo", "widgetData",
    ),
    RepoType.SPACE: (*COMMON, "agents", "datasets", "models", "region", "runtime", "sdk", "subdomain"),
}  # fmt: skip
OURS = ("facts",)


def checked_expand(type_: RepoType, expand: Sequence[str]) -> list[str]:
    """Return the properties a client asks for.

    Raises:
        BadRequest: one of them is unknown; the message lists all.
    """
    known = EXPANDABLE[type_]
    if any(name not in known and name not in OURS for name in expand):
        # Clients take the list out of this text, in this form.
        raise BadRequest(f'"expand" must be one of [{", ".join(sorted(known))}]')
    return list(expand)


def repository_json(
    session: Session,
    hub: Hub,
    repository: SeenRepository,
    revision: SeenRevision,
    *,
    blobs: bool = False,
    expand: Sequence[str] = (),
) -> dict[str, Any]:
    """Return everything about one repository at one commit, or only what ``expand`` names."""
    wanted = set(expand)
    shown = _fields(repository, tags_of(session, [repository.id])[repository.id])
    shown["sha"] = revision.commit
    if not wanted or "siblings" in wanted:
        shown["siblings"] = _siblings(session, hub, revision.tree, blobs=blobs)
    if repository.type == RepoType.DATASET and repository.gated == "no" and (not wanted or "facts" in wanted):
        shown["facts"] = [facts_json(row) for row in facts_of(session, repository.id)]
    return _narrowed(shown, wanted)


def list_json(
    session: Session, hub: Hub, repositories: Sequence[Repository], *, full: bool, expand: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the entries of a listing."""
    wanted = set(expand)
    tags = tags_of(session, [repository.id for repository in repositories])
    shown = []
    for repository in repositories:
        entry = _fields(repository, tags[repository.id])
        if full or wanted & {"sha", "siblings"}:
            _add_head(session, hub, repository.id, entry)
        elif not wanted:
            entry.pop("cardData", None)
        shown.append(_narrowed(entry, wanted))
    return shown


def _add_head(session: Session, hub: Hub, repository_id: int, entry: dict[str, Any]) -> None:
    head = head_of(session, repository_id)
    if head is not None:
        entry["sha"] = head
        entry["siblings"] = _siblings(session, hub, tree_of(session, repository_id, head), blobs=False)


def _narrowed(shown: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    if not wanted:
        return shown
    return {
        name: value for name, value in shown.items() if name in wanted or name in ("_id", "id", "modelId")
    }


def _fields(repository: Repository | SeenRepository, tags: list[str]) -> dict[str, Any]:
    name = repository.full_name
    shown: dict[str, Any] = {
        "_id": f"{repository.id:024x}",
        "id": name,
        "author": repository.owner_name,
        "private": repository.visibility == "private",
        "visibility": repository.visibility,
        "gated": False if repository.gated == "no" else repository.gated,
        "disabled": False,
        "createdAt": date_text(repository.created_at),
        "lastModified": date_text(repository.updated_at),
        "downloads": repository.downloads,
        "downloadsAllTime": repository.downloads,
        "likes": repository.likes,
        "trendingScore": 0,
        "usedStorage": repository.used_storage,
        "tags": tags,
        "cardData": repository.card or {},
        "description": repository.description,
    }
    return shown | _of_type(repository)


def _of_type(repository: Repository | SeenRepository) -> dict[str, Any]:
    card = repository.card or {}
    match RepoType(repository.type):
        case RepoType.MODEL:
            special = {"library_name": card.get("library_name"), "pipeline_tag": card.get("pipeline_tag")}
            return {"modelId": repository.full_name} | {k: v for k, v in special.items() if v}
        case RepoType.SPACE:
            return {
                "sdk": repository.sdk or "static",
                "subdomain": f"{repository.owner_name}-{repository.name}",
            }
        case RepoType.DATASET:
            return {}


def _siblings(session: Session, hub: Hub, tree_oid: str, *, blobs: bool) -> list[dict[str, Any]]:
    entries = all_files(session, hub, tree_oid)
    if not blobs:
        return [{"rfilename": path} for path, _ in entries]
    files = files_of(session, hub, (oid for _, oid in entries))
    return [{"rfilename": path, **_blob_json(files[oid])} for path, oid in entries]


def _blob_json(file: File) -> dict[str, Any]:
    shown: dict[str, Any] = {"size": file.size, "blobId": file.oid}
    if file.lfs:
        shown["lfs"] = {"size": file.size, "sha256": file.sha256, "pointerSize": file.pointer_size}
    return shown
