"""Many rows at once: more than one statement takes, and what is there already."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import func, select

from pytupli_registry.server.database.engine import ROWS_A_STATEMENT, Database
from pytupli_registry.server.database.schema import Base, Blob, Tree, now

COUNT = 2 * ROWS_A_STATEMENT + 1


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'hub.sqlite3'}"
    else:
        url = request.getfixturevalue("postgres").database()
    database = Database(url, synchronous=False)
    Base.metadata.create_all(database.engine)
    yield database
    database.dispose()


def trees(count, raw=b"tree"):
    return [
        {"oid": hashlib.sha1(b"%d" % number).hexdigest(), "raw": raw, "touched_at": now()}
        for number in range(count)
    ]


def test_missing_rows_are_told_and_others_left_alone(database):
    rows = trees(COUNT)
    with database.write() as session:
        assert set(database.insert_missing(session, Tree, rows[:7], tell="oid")) == {
            row["oid"] for row in rows[:7]
        }
        others = trees(COUNT, b"another")
        new = database.insert_missing(session, Tree, others, tell="oid")
        assert sorted(new) == sorted(row["oid"] for row in rows[7:])
        assert database.insert_missing(session, Tree, others) == []
        kept = session.scalar(select(func.count()).where(Tree.raw == b"tree"))
    assert kept == 7


def test_rows_that_are_not_the_same_are_told_and_stay(database):
    rows = trees(COUNT)
    with database.write() as session:
        assert database.upsert(session, Tree, rows, update=("touched_at",), same=("raw",)) == []
        changed = [{**row, "raw": b"another"} if place in (3, 700) else row for place, row in enumerate(rows)]
        different = database.upsert(session, Tree, changed, update=("touched_at",), same=("raw",))
        assert different == [rows[3]["oid"], rows[700]["oid"]]
        assert session.scalar(select(func.count()).where(Tree.raw == b"another")) == 0
        assert database.upsert(session, Tree, changed, update=("raw",)) == []
        assert session.scalar(select(func.count()).where(Tree.raw == b"another")) == 2


def test_objects_of_the_session_are_written_first(database):
    time = now()
    row = {"sha256": "a" * 64, "size": 2, "created_at": time, "touched_at": time}
    with database.write() as session:
        session.add(Blob(**{**row, "size": 1}))
        assert database.insert_missing(session, Blob, [row], tell="sha256") == []
        assert session.scalar(select(Blob.size)) == 1


def test_nothing_is_no_statement(database):
    with database.write() as session:
        assert database.insert_missing(session, Tree, [], tell="oid") == []
        assert database.upsert(session, Tree, [], update=("touched_at",), same=("raw",)) == []
