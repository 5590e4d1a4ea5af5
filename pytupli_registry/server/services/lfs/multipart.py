"""Files sent in parts, which together become a blob."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Upload, UploadPart, now
from pytupli_registry.server.errors import NotFound, Unprocessable
from pytupli_registry.server.objects import ObjectNotFound, Staged
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.lfs.parts import part_count, part_etag, part_key
from pytupli_registry.server.services.lfs.registration import check_upload, has_blob, published
from pytupli_registry.server.services.lfs.signed import read_signed
from pytupli_registry.server.wire.lfs import Part

__all__ = ["MultipartUpload", "begin", "completion_href"]

PURPOSE = "lfs-whole"


def begin(
    hub: Hub, session: Session, grant: UploadGrant, files: Mapping[str, int], part_size: int
) -> dict[str, Upload]:
    """Begin multipart uploads, or find those that a retried request has begun already; by SHA-256.

    Args:
        hub: the Hub.
        session: a writing session.
        grant: who uploads to which repository.
        files: sizes by SHA-256.
        part_size: bytes of every part but the last of each.
    """
    expires_at = now() + timedelta(seconds=hub.settings.upload_expires_s)
    begun = session.scalars(
        select(Upload).where(
            Upload.repository_id == grant.repository_id,
            Upload.user_id == grant.user_id,
            Upload.part_size == part_size,
            Upload.expires_at > now(),
        )
    )
    uploads = {upload.sha256: upload for upload in begun if files.get(upload.sha256) == upload.size}
    for upload in uploads.values():
        upload.expires_at = expires_at
    for sha256 in files.keys() - uploads.keys():
        uploads[sha256] = Upload(
            id=secrets.token_hex(16),
            repository_id=grant.repository_id,
            user_id=grant.user_id,
            sha256=sha256,
            size=files[sha256],
            part_size=part_size,
            expires_at=expires_at,
        )
        session.add(uploads[sha256])
    session.flush()
    return uploads


def completion_href(hub: Hub, base: str, upload: Upload, token_id: int | None) -> str:
    """Return the URL that ends an upload."""
    grant = UploadGrant(upload.repository_id, upload.user_id, token_id)
    # All of it is signed, so that a retry is understood after the upload's row is gone.
    said = {
        **grant.signed(),
        "i": upload.id,
        "o": upload.sha256,
        "s": upload.size,
        "n": part_count(upload.size, upload.part_size),
    }
    signature = hub.signer.sign(PURPOSE, said, expires_s=hub.settings.upload_expires_s)
    return f"{base}/lfs/uploads/{upload.id}?signature={signature}"


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """The right to end a multipart upload.

    Attributes:
        grant: who sends the file to which repository.
        id: of the upload.
        sha256: hash of the whole file.
        size: bytes of the whole file.
        parts: how many there are.
    """

    grant: UploadGrant
    id: str
    sha256: str
    size: int
    parts: int

    @classmethod
    def read(cls, hub: Hub, upload_id: str, signature: str) -> Self:
        """Return the right that a URL carries, if it still holds.

        Raises:
            Forbidden: it was not signed for this, has expired, or the uploader may no longer upload.
            NotAuthenticated, RepoNotFound: as :meth:`UploadGrant.check`.
        """
        said = read_signed(hub, PURPOSE, signature, i=upload_id)
        upload = cls(UploadGrant.from_signed(said), said["i"], said["o"], said["s"], said["n"])
        with hub.database.read() as session:
            upload.grant.check(session)
        return upload

    def complete(self, hub: Hub, oid: str, parts: list[Part]) -> None:
        """Make the parts one blob of the repository; if that was done before, do nothing.

        Raises:
            NotFound: the upload is over, and there is no blob.
            Unprocessable: parts are missing or others than were sent (send them again), or the whole has another
                hash (everything was dropped).
        """
        if oid != self.sha256:
            raise Unprocessable("This link was made for another file. Ask for a new one.")
        if self._is_done(hub):
            return
        self._check_parts(hub, parts)
        try:
            with hub.objects.stage() as staged:
                self._join(hub, staged)
                check_upload(staged, self.sha256, self.size)
                with published(hub, self.grant, [staged]):
                    pass
        except ObjectNotFound as error:
            # Another request that ends the same upload was faster, or gc came by.
            if not self._is_done(hub):
                raise NotFound("This upload is over. Start again.") from error
        except Unprocessable:
            self.drop(hub)
            raise
        self.drop(hub)

    def _is_done(self, hub: Hub) -> bool:
        return has_blob(hub, self.grant.repository_id, self.sha256, self.size)

    def _check_parts(self, hub: Hub, parts: list[Part]) -> None:
        with hub.database.read() as session:
            if session.get(Upload, self.id) is None:
                raise NotFound("This upload is over: its time was up, or its parts were wrong. Start again.")
            rows = session.execute(
                select(UploadPart.number, UploadPart.sha256).where(UploadPart.upload_id == self.id)
            )
            arrived = {number: part_etag(sha256) for number, sha256 in rows}
        missing = [number for number in range(1, self.parts + 1) if number not in arrived]
        if missing:
            raise Unprocessable(f"Parts {missing[:10]} of {self.parts} have not arrived. Send them again.")
        if {part.number: part.etag for part in parts} != arrived:
            raise Unprocessable("The list of parts is not what has arrived. Send the parts again.")

    def _join(self, hub: Hub, staged: Staged) -> None:
        for number in range(1, self.parts + 1):
            for block in hub.objects.read(part_key(self.id, number)):
                staged.write(block)

    def drop(self, hub: Hub) -> None:
        """Forget the upload and its parts."""
        with hub.database.write() as session:
            session.execute(delete(Upload).where(Upload.id == self.id))
        for number in range(1, self.parts + 1):
            hub.objects.delete(part_key(self.id, number))
