"""What came of publishing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Publication"]


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published, or in a dry run would be.

    Attributes:
        repo: ``acme/hvac``.
        commit: where it can be read; None for a dry run that would change something.
        url: of the repository.
        files: bytes of every file that is new or changed, by its path.
        unchanged: paths of the files that the repository had already, just so.
        warnings: what is worth knowing before others find out.
        dry_run: whether nothing was sent.
    """

    repo: str
    commit: str | None
    url: str
    files: dict[str, int]
    unchanged: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def size(self) -> int:
        """Bytes of the files that are new or changed; of those, what the Hub has already does not travel."""
        return sum(self.files.values())
