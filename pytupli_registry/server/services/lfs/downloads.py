"""Files fetched by git-lfs, from signed URLs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pytupli_registry.server.errors import NotFound
from pytupli_registry.server.services.blobs import belonging
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import check_reader
from pytupli_registry.server.services.lfs.signed import read_signed

__all__ = ["ObjectDownload"]

PURPOSE = "lfs-download"


@dataclass(frozen=True, slots=True)
class ObjectDownload:
    """The right to fetch one file of a repository.

    Attributes:
        repository_id: the repository.
        sha256: hash of the file.
        user_id: who may, None for everybody.
        token_id: the access token that it was given for; the right ends with it.
    """

    repository_id: int
    sha256: str
    user_id: int | None = None
    token_id: int | None = None

    def href(self, hub: Hub, base: str) -> str:
        """Return the URL that carries this right."""
        said = {"r": self.repository_id, "o": self.sha256, "u": self.user_id, "t": self.token_id}
        signature = hub.signer.sign(PURPOSE, said, expires_s=hub.settings.upload_expires_s)
        return f"{base}/lfs/objects/{self.sha256}?signature={signature}"

    @classmethod
    def read(cls, hub: Hub, sha256: str, signature: str) -> Self:
        """Return the right that a URL carries.

        Raises:
            Forbidden: it was not signed for this, or has expired.
        """
        said = read_signed(hub, PURPOSE, signature, o=sha256)
        return cls(said["r"], said["o"], said["u"], said["t"])

    def size(self, hub: Hub) -> int:
        """Return the file's size.

        Raises:
            NotFound: it belongs to the repository no longer.
            NotAuthenticated, RepoNotFound, GatedRepo: who was given the URL may not read there any more.
        """
        with hub.database.read() as session:
            check_reader(session, self.repository_id, self.user_id, self.token_id)
            size = belonging(session, self.repository_id, [self.sha256]).get(self.sha256)
        if size is None:
            raise NotFound(f"{self.sha256} is not in this repository.")
        return size
