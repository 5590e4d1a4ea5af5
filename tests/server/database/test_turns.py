"""Writers of SQLite take turns in the order they came, and nobody's failure keeps the others waiting."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import text

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.turns import Turn, Turns
from pytupli_registry.server.errors import Unavailable


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite3'}", synchronous=False)
    with database.write() as session:
        session.execute(text("CREATE TABLE written (place INTEGER)"))
    yield database
    database.dispose()


def started(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_until(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def write(database, place):
    with database.write() as session:
        session.execute(text("INSERT INTO written VALUES (:place)"), {"place": place})


def test_writers_come_in_the_order_in_which_they_asked(database):
    with database.write() as session:
        session.execute(text("INSERT INTO written VALUES (-1)"))
        threads = []
        for place in range(12):
            threads.append(started(lambda place=place: write(database, place)))
            wait_until(lambda place=place: len(database._turns._waiting) == place + 1)
    for thread in threads:
        thread.join(10)
    with database.read() as session:
        assert session.scalars(text("SELECT place FROM written ORDER BY rowid")).all() == list(range(-1, 12))


def write_half(database):
    with database.write() as session:
        session.execute(text("INSERT INTO written VALUES (1)"))
        raise RuntimeError


def test_a_writer_that_fails_lets_the_next_one_go(database):
    for _ in range(2):
        with pytest.raises(RuntimeError):
            write_half(database)
    write(database, 2)
    with database.read() as session:
        assert session.scalars(text("SELECT place FROM written")).all() == [2]


def test_a_writer_that_has_not_begun_keeps_nobody_waiting(database):
    with database.write() as idle:
        write(database, 1)
        idle.execute(text("INSERT INTO written VALUES (2)"))
    with database.read() as session:
        assert session.scalars(text("SELECT place FROM written")).all() == [1, 2]


def test_who_waits_too_long_gives_up_and_is_forgotten():
    turns = Turns(0.05)
    first, second, third = Turn(turns), Turn(turns), Turn(turns)
    first.take()
    with pytest.raises(Unavailable):
        second.take()
    second.give()  # it has nothing to give back
    first.give()
    third.take()
    with pytest.raises(Unavailable):
        first.take()


def test_very_many_writers_are_never_two_at_a_time():
    turns = Turns(20)
    inside, seen = [], []

    def work():
        for _ in range(50):
            turn = Turn(turns)
            turn.take()
            inside.append(1)
            seen.append(len(inside))
            time.sleep(0)
            inside.pop()
            turn.give()

    threads = [started(work) for _ in range(8)]
    for thread in threads:
        thread.join(20)
    assert seen == [1] * 400
