"""The Hub as one value: what every request works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.objects import ObjectStore, open_store
from pytupli_registry.server.services.attempts import Attempts
from pytupli_registry.server.services.caches import Caches
from pytupli_registry.server.services.datasets.reader import EpisodeReader
from pytupli_registry.server.services.password_checks import PasswordChecks
from pytupli_registry.server.services.token_uses import TokenUses
from pytupli_registry.server.settings import Settings
from pytupli_registry.server.wire.signing import Signer

__all__ = ["Hub"]


@dataclass(frozen=True, slots=True)
class Hub:
    """Settings, database, object store and signatures of one Hub; made once, passed to everything.

    Attributes:
        settings: its configuration.
        database: where metadata lives.
        objects: where blobs live.
        signer: makes and reads signed URLs.
        caches: what never changes once it is known (trees, commits' trees, blobs' sizes).
        attempts: counts what may be tried a few times only.
        password_checks: how many passwords may be checked at the same time.
        token_uses: notes when tokens were used.
        episodes: reads indexes of episodes in a process of their own.
    """

    settings: Settings
    database: Database
    objects: ObjectStore
    signer: Signer
    caches: Caches = field(default_factory=Caches)
    attempts: Attempts = field(default_factory=Attempts)
    password_checks: PasswordChecks = field(default_factory=PasswordChecks)
    token_uses: TokenUses = field(default_factory=TokenUses)
    episodes: EpisodeReader = field(default_factory=EpisodeReader)

    @classmethod
    def open(cls, settings: Settings) -> Hub:
        """Open the Hub that ``settings`` describe. Close it with :meth:`close`.

        Raises:
            SettingsError: a URL that cannot be understood.
        """
        return cls(
            settings,
            Database(settings.database_url, connections=settings.threads, synchronous=settings.fsync),
            open_store(
                settings.objects_url,
                settings.objects_options,
                fsync=settings.fsync,
                redirect=settings.redirect_downloads,
                spool=settings.directory / "spool",
            ),
            Signer(settings.secret.get_secret_value()),
        )

    def close(self) -> None:
        """Close the connections, after what is still to be written."""
        self.token_uses.close()
        self.database.dispose()
