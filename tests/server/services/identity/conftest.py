"""A database of each kind, empty for every test."""

from collections.abc import Iterator

import pytest

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Base


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kept_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'hub.sqlite3'}"
    else:
        url = request.getfixturevalue("postgres").database()
    database = Database(url, synchronous=False)
    Base.metadata.create_all(database.engine)
    yield database
    database.dispose()


@pytest.fixture
def database(kept_database: Database) -> Database:
    with kept_database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    return kept_database
