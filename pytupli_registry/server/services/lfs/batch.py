"""The batch API: where to send files, or fetch them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Repository
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.blobs import belonging
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs import multipart
from pytupli_registry.server.services.lfs.downloads import ObjectDownload
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.lfs.parts import part_count, part_href
from pytupli_registry.server.services.lfs.uploads import ObjectUpload
from pytupli_registry.server.services.permissions import Action as Permission
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.wire.lfs import (
    Action,
    Actions,
    Batch,
    BatchAnswer,
    LfsObject,
    ObjectActions,
    ObjectError,
)
from pytupli_registry.server.wire.names import RepoId

__all__ = ["answer_batch"]

MAX_PART_URLS = 10_000  # of one answer: about 2 MB


def answer_batch(
    hub: Hub, session: Session, caller: Caller, repo_id: RepoId, batch: Batch, base: str
) -> BatchAnswer:
    """Return what to do about each object of a batch.

    Only what belongs to this repository counts as there: a hash alone neither gives access to content nor tells
    whether the Hub has it. Whoever may open pull requests may upload.

    Args:
        hub: the Hub.
        session: a writing session.
        caller: who asks.
        repo_id: the repository in the request's path.
        batch: the request.
        base: what URLs begin with.

    Raises:
        Moved, RepoNotFound, NotAuthenticated, Forbidden, GatedRepo: as :func:`repositories.find`.
    """
    action = Permission.PROPOSE if batch.operation == "upload" else Permission.READ
    repository = repositories.find(session, caller, repo_id, action)
    known = belonging(session, repository.id, {wanted.oid for wanted in batch.objects})
    if batch.operation == "download":
        found = _Found(hub, base, repository, known)
        return BatchAnswer(objects=[found.download(wanted) for wanted in batch.objects])
    uploads = _Uploads(
        hub, session, base, repo_id, UploadGrant.of(caller, repository), known, _part_size(hub, batch)
    )
    objects = [uploads.answer(wanted) for wanted in batch.objects]
    return BatchAnswer(transfer="multipart" if uploads.part_size else "basic", objects=objects)


def _part_size(hub: Hub, batch: Batch) -> int | None:
    # None: the client cannot send parts, or nothing is large enough for it.
    smallest = hub.settings.lfs_part_size
    large = [wanted.size for wanted in batch.objects if smallest < wanted.size <= hub.settings.max_file_size]
    if "multipart" not in batch.transfers or not large:
        return None
    return max(smallest, part_count(sum(large), MAX_PART_URLS))


@dataclass(frozen=True, slots=True)
class _Found:
    hub: Hub
    base: str
    repository: Repository
    known: dict[str, int]

    def download(self, wanted: LfsObject) -> ObjectActions:
        if self.known.get(wanted.oid) != wanted.size:
            missing = ObjectError(code=404, message=f"{wanted.oid} is not in this repository.")
            return ObjectActions(oid=wanted.oid, size=wanted.size, error=missing)
        href = ObjectDownload(self.repository.id, wanted.oid).href(self.hub, self.base)
        action = Action(href=href, expires_in=self.hub.settings.upload_expires_s)
        return ObjectActions(
            oid=wanted.oid, size=wanted.size, authenticated=True, actions={"download": action}
        )


@dataclass(frozen=True, slots=True)
class _Uploads:
    hub: Hub
    session: Session
    base: str
    repo_id: RepoId
    grant: UploadGrant
    known: dict[str, int]
    part_size: int | None

    def answer(self, wanted: LfsObject) -> ObjectActions:
        error = self._error(wanted)
        if error:
            return ObjectActions(oid=wanted.oid, size=wanted.size, error=error)
        if wanted.oid in self.known:
            return ObjectActions(oid=wanted.oid, size=wanted.size)
        actions: Actions = {"upload": self._upload(wanted), "verify": self._verify()}
        return ObjectActions(oid=wanted.oid, size=wanted.size, authenticated=True, actions=actions)

    def _error(self, wanted: LfsObject) -> ObjectError | None:
        most = self.hub.settings.max_file_size
        if wanted.size > most:
            return ObjectError(
                code=413, message=f"The file has {wanted.size} bytes; this Hub takes at most {most}."
            )
        if self.known.get(wanted.oid, wanted.size) != wanted.size:
            return ObjectError(
                code=422, message=f"{wanted.oid} has {self.known[wanted.oid]} bytes, not {wanted.size}."
            )
        return None

    def _upload(self, wanted: LfsObject) -> Action:
        expires_in = self.hub.settings.upload_expires_s
        if not self.part_size or wanted.size <= self.hub.settings.lfs_part_size:
            href = ObjectUpload(self.grant, wanted.oid, wanted.size).href(self.hub, self.base)
            return Action(href=href, expires_in=expires_in)
        upload = multipart.begin(self.hub, self.session, self.grant, wanted.oid, wanted.size, self.part_size)
        header = {
            str(number): part_href(self.hub, self.base, upload, number, self.grant.token_id)
            for number in range(1, part_count(wanted.size, self.part_size) + 1)
        }
        return Action(
            href=multipart.completion_href(self.hub, self.base, upload, self.grant.token_id),
            header={"chunk_size": str(self.part_size), **header},
            expires_in=expires_in,
        )

    def _verify(self) -> Action:
        return Action(
            href=f"{self.base}/{self.repo_id.type.prefix}{self.repo_id}.git/info/lfs/objects/verify"
        )
