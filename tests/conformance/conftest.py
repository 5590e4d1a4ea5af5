"""Hubs that are made when a test first needs them, and stay for the session."""

from contextlib import ExitStack

import pytest

from tests.conformance.support.hubs import running_hub

collect_ignore = ["cases"]  # they run inside the clients' own environments


@pytest.fixture(scope="session")
def hub_of(tmp_path_factory):
    with ExitStack() as stack:
        made = {}

        def get(kind):
            if kind not in made:
                # A short path: PostgreSQL's socket lies below it.
                place = tmp_path_factory.mktemp("hub")
                made[kind] = stack.enter_context(running_hub(kind, place))
            return made[kind]

        yield get
