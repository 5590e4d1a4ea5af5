"""Parts of files: each may be sent again, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from pytupli_registry.server.database.schema import Upload, UploadPart
from pytupli_registry.server.errors import NotFound, Unprocessable
from pytupli_registry.server.objects import Staged
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.lfs.signed import read_signed

__all__ = ["PartUpload", "part_count", "part_etag", "part_href", "part_key"]

PURPOSE = "lfs-part"


def part_count(size: int, part_size: int) -> int:
    """Return how many parts a file has."""
    return -(-size // part_size)


def part_key(upload_id: str, number: int) -> str:
    """Return the name of a part in the object store."""
    return f"parts/{upload_id}/{number}"


def part_etag(sha256: str) -> str:
    """Return what the client is told of a part, and says again at the end."""
    return f'"{sha256}"'


def part_href(hub: Hub, base: str, upload: Upload, number: int, token_id: int | None) -> str:
    """Return the URL that carries the right to send one part."""
    said = {"i": upload.id, "n": number, "t": token_id}
    signature = hub.signer.sign(PURPOSE, said, expires_s=hub.settings.upload_expires_s)
    return f"{base}/lfs/uploads/{upload.id}/{number}?signature={signature}"


@dataclass(frozen=True, slots=True)
class PartUpload:
    """The right to send one part.

    Attributes:
        grant: who sends it to which repository.
        upload_id: what it is a part of.
        number: counted from 1.
        size: bytes that it has.
    """

    grant: UploadGrant
    upload_id: str
    number: int
    size: int

    @classmethod
    def read(cls, hub: Hub, upload_id: str, number: int, signature: str) -> Self:
        """Return the right that a URL carries, if it still holds.

        Raises:
            NotFound: the upload is over.
            Forbidden: it was not signed for this, has expired, or the uploader may no longer upload.
            NotAuthenticated, RepoNotFound: as :meth:`UploadGrant.check`.
        """
        said = read_signed(hub, PURPOSE, signature, i=upload_id, n=number)
        with hub.database.read() as session:
            upload = session.get(Upload, upload_id)
            if upload is None:
                raise NotFound("This upload is over. Start again.")
            grant = UploadGrant(upload.repository_id, upload.user_id, said["t"])
            grant.check(session)
        size = min(upload.part_size, upload.size - (number - 1) * upload.part_size)
        return cls(grant, upload_id, number, size)

    @contextmanager
    def staged(self, hub: Hub) -> Iterator[Staged]:
        """Give what to write the body to; on leaving, the part has arrived.

        Raises:
            Unprocessable: it has another size.
            NotFound: the upload ended meanwhile.
            StorageFull, Unavailable: the store cannot take it.
        """
        with hub.objects.stage() as staged:
            yield staged
            if staged.size != self.size:
                raise Unprocessable(f"Part {self.number} has {self.size} bytes, not {staged.size}.")
            self._keep(hub, staged)

    def _keep(self, hub: Hub, staged: Staged) -> None:
        key = part_key(self.upload_id, self.number)
        with hub.database.read() as session:
            known = session.get(UploadPart, (self.upload_id, self.number))
        if known is None or known.sha256 != staged.sha256:
            hub.objects.delete(key)  # objects are written once: another attempt may have left one
        staged.publish(key)
        with hub.database.write() as session:
            if session.get(Upload, self.upload_id) is None:
                hub.objects.delete(key)
                raise NotFound("This upload is over. Start again.")
            row = {
                "upload_id": self.upload_id,
                "number": self.number,
                "size": self.size,
                "sha256": staged.sha256,
            }
            hub.database.upsert(session, UploadPart, [row], update=("size", "sha256"))
