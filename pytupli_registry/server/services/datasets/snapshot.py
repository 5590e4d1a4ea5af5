"""The files of one tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.files import File, file_of, files_of, read_file
from pytupli_registry.server.services.trees import entry_at, read_tree
from pytupli_registry.server.wire.git import TreeEntry

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["Snapshot"]


MOST_READ = 128 << 20
LEAST_CHARGE = 32 << 10  # to find a file and to understand it takes as long as to read so much


@dataclass(slots=True)
class Allowance:
    """Bytes that may still be read: it happens in a transaction, while others wait to write."""

    left: int = MOST_READ

    def charge(self, size: int) -> None:
        """Take note of a file that is read.

        Raises:
            BadRequest: there were too many, or too large ones.
        """
        self.left -= max(size, LEAST_CHARGE)
        if self.left < 0:
            raise BadRequest("This changes more descriptions of datasets than one commit may. Split it.")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a tree."""

    session: Session
    hub: Hub
    tree_oid: str
    allowance: Allowance = field(default_factory=Allowance, compare=False)

    def has(self, path: str) -> bool:
        """Return whether there is a file."""
        entry = entry_at(self.session, self.hub, self.tree_oid, path)
        return entry is not None and not entry.is_directory

    def file(self, path: str) -> File | None:
        """Return the file at a path, or None."""
        entry = entry_at(self.session, self.hub, self.tree_oid, path)
        return None if entry is None or entry.is_directory else file_of(self.session, self.hub, entry.oid)

    def children(self, folder: str) -> Mapping[str, TreeEntry]:
        """Return what lies directly in a folder; nothing if there is no such folder."""
        entry = entry_at(self.session, self.hub, self.tree_oid, folder)
        if entry is None or not entry.is_directory:
            return {}
        return read_tree(self.session, self.hub, entry.oid)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's content, from wherever it is; None if there is none, or it has more than ``limit`` bytes.

        Raises:
            StoreUnavailable: the object store does not answer.
            BadRequest: all that was read of this tree is too much.
        """
        file = self.file(path)
        if file is None or file.size > limit:
            return None
        self.allowance.charge(file.size)
        return b"".join(read_file(self.session, self.hub, file))

    def size_below(self, folder: str, most: int) -> int | None:
        """Return the bytes of all files below a folder; None if there are more than ``most`` files."""
        oids: list[str] = []
        folders = [folder]
        while folders:
            inside = folders.pop()
            for name, entry in self.children(inside).items():
                if entry.is_directory:
                    folders.append(f"{inside}/{name}" if inside else name)
                else:
                    oids.append(entry.oid)
            if len(oids) + len(folders) > most:
                return None
        files = files_of(self.session, self.hub, oids)
        return sum(files[oid].size for oid in oids if oid in files)
