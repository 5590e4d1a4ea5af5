"""The batch API: where to send files, or fetch them."""

from __future__ import annotations

from pytupli_registry.server.database.schema import Upload
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.blobs import belonging
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs import multipart
from pytupli_registry.server.services.lfs.downloads import ObjectDownload
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.lfs.multipart import completion_href
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


def answer_batch(hub: Hub, caller: Caller, repo_id: RepoId, batch: Batch, base: str) -> BatchAnswer:
    """Return what to do about each object of a batch.

    Only what belongs to this repository counts as there: a hash alone neither gives access to content nor tells
    whether the Hub has it. Whoever may open pull requests may upload.

    Args:
        hub: the Hub.
        caller: who asks.
        repo_id: the repository in the request's path.
        batch: the request.
        base: what URLs begin with.

    Raises:
        Moved, RepoNotFound, NotAuthenticated, Forbidden, GatedRepo: as :func:`repositories.find`.
    """
    if batch.operation == "download":
        return _answer_download(hub, caller, repo_id, batch, base)
    with hub.database.read() as session:
        repository = repositories.find(session, caller, repo_id, Permission.PROPOSE)
        known = belonging(session, repository.id, {wanted.oid for wanted in batch.objects})
    uploads = _Uploads(hub, base, repo_id, UploadGrant.of(caller, repository), known)
    uploads.begin_large(batch)
    objects = [uploads.answer(wanted) for wanted in batch.objects]
    return BatchAnswer(transfer="multipart" if uploads.large else "basic", objects=objects)


def _answer_download(hub: Hub, caller: Caller, repo_id: RepoId, batch: Batch, base: str) -> BatchAnswer:
    with hub.database.read() as session:
        repository = repositories.find(session, caller, repo_id, Permission.READ)
        known = belonging(session, repository.id, {wanted.oid for wanted in batch.objects})
    objects = []
    for wanted in batch.objects:
        answer = ObjectActions(oid=wanted.oid, size=wanted.size)
        if known.get(wanted.oid) == wanted.size:
            right = ObjectDownload(repository.id, wanted.oid, caller.user_id, caller.token_id)
            href = right.href(hub, base)
            answer.authenticated = True
            answer.actions = {"download": Action(href=href, expires_in=hub.settings.upload_expires_s)}
        else:
            answer.error = ObjectError(code=404, message=f"{wanted.oid} is not in this repository.")
        objects.append(answer)
    return BatchAnswer(objects=objects)


class _Uploads:
    """Answers for one batch of uploads."""

    def __init__(
        self, hub: Hub, base: str, repo_id: RepoId, grant: UploadGrant, known: dict[str, int]
    ) -> None:
        self.large: dict[str, Upload] = {}
        self._hub = hub
        self._base = base
        self._repo_id = repo_id
        self._grant = grant
        self._known = known

    def begin_large(self, batch: Batch) -> None:
        """Begin multipart uploads for what is large, if the client can send parts."""
        smallest = self._hub.settings.lfs_part_size
        large = {
            wanted.oid: wanted.size
            for wanted in batch.objects
            if wanted.size > smallest and wanted.oid not in self._known and self._error(wanted) is None
        }
        if large and "multipart" in batch.transfers:
            part_size = max(smallest, part_count(sum(large.values()), MAX_PART_URLS))
            with self._hub.database.write() as session:
                self.large = multipart.begin(self._hub, session, self._grant, large, part_size)

    def answer(self, wanted: LfsObject) -> ObjectActions:
        """Return what to do about one object."""
        error = self._error(wanted)
        if error:
            return ObjectActions(oid=wanted.oid, size=wanted.size, error=error)
        if wanted.oid in self._known:
            return ObjectActions(oid=wanted.oid, size=wanted.size)
        upload = self.large.get(wanted.oid)
        actions: Actions = {
            "upload": self._in_one_piece(wanted) if upload is None else self._in_parts(upload),
            "verify": self._verify(),
        }
        # Not "authenticated": git-lfs would send its credentials to none of the actions then, and verify needs them.
        return ObjectActions(oid=wanted.oid, size=wanted.size, actions=actions)

    def _error(self, wanted: LfsObject) -> ObjectError | None:
        most = self._hub.settings.max_file_size
        if wanted.size > most:
            message = f"The file has {wanted.size} bytes; this Hub takes at most {most}."
            return ObjectError(code=413, message=message)
        known = self._known.get(wanted.oid, wanted.size)
        if known != wanted.size:
            return ObjectError(code=422, message=f"{wanted.oid} has {known} bytes, not {wanted.size}.")
        return None

    def _in_one_piece(self, wanted: LfsObject) -> Action:
        href = ObjectUpload(self._grant, wanted.oid, wanted.size).href(self._hub, self._base)
        return Action(href=href, expires_in=self._hub.settings.upload_expires_s)

    def _in_parts(self, upload: Upload) -> Action:
        token_id = self._grant.token_id
        parts = {
            str(number): part_href(self._hub, self._base, upload, number, token_id)
            for number in range(1, part_count(upload.size, upload.part_size) + 1)
        }
        return Action(
            href=completion_href(self._hub, self._base, upload, token_id),
            header={"chunk_size": str(upload.part_size), **parts},
            expires_in=self._hub.settings.upload_expires_s,
        )

    def _verify(self) -> Action:
        repository = f"{self._repo_id.type.prefix}{self._repo_id}"
        return Action(href=f"{self._base}/{repository}.git/info/lfs/objects/verify")
