"""Sets of object ids that may be larger than memory: SQLite puts what it cannot hold into temporary files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Self

__all__ = ["MANY", "Marks", "chunks"]

MANY = 500


def chunks(things: Iterable[str], size: int = MANY) -> Iterator[list[str]]:
    """Cut ``things`` into lists of at most ``size``."""
    remaining = iter(things)
    while chunk := list(islice(remaining, size)):
        yield chunk


class Marks:
    """Named sets of texts. A context manager: on leaving, they are gone."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -65536",
            "CREATE TABLE marks (kind TEXT, key TEXT, value INTEGER, PRIMARY KEY (kind, key)) WITHOUT ROWID",
        ):
            self._file.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, kind: str, keys: Iterable[str]) -> list[str]:
        """Add keys to a set and return those that were not in it."""
        added: list[str] = []
        for chunk in chunks(dict.fromkeys(keys)):
            known = self.of(kind, chunk)
            new = [key for key in chunk if key not in known]
            self._insert(kind, ((key, None) for key in new))
            added += new
        return added

    def put(self, kind: str, values: Iterable[tuple[str, int]]) -> None:
        """Add keys with a number each."""
        self._insert(kind, values)

    def _insert(self, kind: str, pairs: Iterable[tuple[str, int | None]]) -> None:
        self._file.execute("BEGIN")
        rows = ((kind, key, value) for key, value in pairs)
        self._file.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", rows)
        self._file.execute("COMMIT")

    def of(self, kind: str, keys: Iterable[str]) -> dict[str, int | None]:
        """Return those of ``keys`` that are in a set, with their numbers."""
        found: dict[str, int | None] = {}
        for chunk in chunks(keys):
            places = ",".join("?" * len(chunk))
            query = f"SELECT key, value FROM marks WHERE kind = ? AND key IN ({places})"  # noqa: S608 - question marks
            found.update(self._file.execute(query, [kind, *chunk]).fetchall())
        return found

    def discard(self, kind: str, keys: Iterable[str]) -> None:
        """Take keys out of a set."""
        self._file.execute("BEGIN")
        self._file.executemany("DELETE FROM marks WHERE kind = ? AND key = ?", ((kind, key) for key in keys))
        self._file.execute("COMMIT")

    def pages(self, kind: str) -> Iterator[list[str]]:
        """Give a set in order, in lists; it may change meanwhile."""
        last = ""
        query = "SELECT key FROM marks WHERE kind = ? AND key > ? ORDER BY key LIMIT ?"
        while page := [key for (key,) in self._file.execute(query, (kind, last, MANY))]:
            yield page
            last = page[-1]

    def count(self, kind: str) -> int:
        """Return how many are in a set."""
        (number,) = self._file.execute("SELECT count(*) FROM marks WHERE kind = ?", (kind,)).fetchone()
        return int(number)

    def merge(self, source: str, target: str) -> None:
        """Add one set to another."""
        query = "INSERT OR IGNORE INTO marks SELECT ?, key, value FROM marks WHERE kind = ?"
        self._file.execute(query, (target, source))

    def clear(self, kind: str) -> None:
        """Empty a set."""
        self._file.execute("DELETE FROM marks WHERE kind = ?", (kind,))
