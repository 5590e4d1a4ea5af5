"""Files sent in one piece to a signed URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from pytupli_registry.server.objects import Staged
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.lfs.registration import check_upload, has_blob, published
from pytupli_registry.server.services.lfs.signed import read_signed

__all__ = ["ObjectUpload"]

PURPOSE = "lfs-object"


@dataclass(frozen=True, slots=True)
class ObjectUpload:
    """The right to send one file.

    Attributes:
        grant: who sends it to which repository.
        sha256: its hash.
        size: its bytes.
    """

    grant: UploadGrant
    sha256: str
    size: int

    def href(self, hub: Hub, base: str) -> str:
        """Return the URL that carries this right."""
        said = {**self.grant.signed(), "s": self.size, "o": self.sha256}
        signature = hub.signer.sign(PURPOSE, said, expires_s=hub.settings.upload_expires_s)
        return f"{base}/lfs/objects/{self.sha256}?signature={signature}"

    @classmethod
    def read(cls, hub: Hub, sha256: str, signature: str) -> Self:
        """Return the right that a URL carries, if it still holds.

        Raises:
            Forbidden: it was not signed for this, has expired, or the uploader may no longer upload.
            NotAuthenticated, RepoNotFound: as :meth:`UploadGrant.check`.
        """
        said = read_signed(hub, PURPOSE, signature, o=sha256)
        upload = cls(UploadGrant.from_signed(said), said["o"], said["s"])
        with hub.database.read() as session:
            upload.grant.check(session)
        return upload

    def is_done(self, hub: Hub) -> bool:
        """Tell whether the file arrived before: a retried request has nothing to do."""
        return has_blob(hub, self.grant.repository_id, self.sha256, self.size)

    @contextmanager
    def staged(self, hub: Hub) -> Iterator[Staged]:
        """Give what to write the body to; on leaving, it becomes a blob of the repository.

        Raises:
            Unprocessable: hash or size is another; nothing is kept.
            StorageFull, Unavailable: the store cannot take it.
        """
        with hub.objects.stage() as staged:
            yield staged
            check_upload(staged, self.sha256, self.size)
            with published(hub, self.grant, [staged]):
                pass
