"""A shard on the local disk while it is read: it may have a hundred megabytes, and is read more than once."""

from __future__ import annotations

from contextlib import suppress
from tempfile import TemporaryFile

from pytupli_registry.server.objects.errors import disk_errors
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.xet.shards import Progress, ShardIntake
from pytupli_registry.server.wire.xet.shard import Shard

__all__ = ["ShardSpool"]


class ShardSpool:
    """A shard that comes in; :meth:`take_in` or :meth:`close` ends it.

    Args:
        hub: the Hub.
        grant: who uploads it, for which repository.

    Attributes:
        progress: how far its files are.

    Raises:
        NotAuthenticated, RepoNotFound, Forbidden: the grant has ended.
        StorageFull, StoreUnavailable: the disk takes no more.
    """

    def __init__(self, hub: Hub, grant: UploadGrant) -> None:
        self.progress = Progress()
        self._hub = hub
        self._grant = grant
        with hub.database.read() as session:
            grant.check(session)
        with disk_errors("beginning to write"):
            self._file = TemporaryFile(dir=hub.settings.directory)  # noqa: SIM115 - see close

    def write(self, block: bytes | bytearray) -> None:
        """Add bytes at the end.

        Raises:
            StorageFull, StoreUnavailable: the disk takes no more.
        """
        with disk_errors("writing"):
            self._file.write(block)

    def take_in(self) -> None:
        """Take in the shard, and close the file.

        Raises:
            HubError: as :meth:`ShardIntake.run`.
        """
        try:
            with disk_errors("writing"):
                self._file.flush()
            ShardIntake(self._hub, self._grant, Shard(self._file), self.progress).run()
        finally:
            self.close()

    def close(self) -> None:
        """Close the file, and with it is gone."""
        with suppress(OSError):  # a full disk is told by write() and take_in()
            self._file.close()
