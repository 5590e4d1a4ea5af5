"""The real clients against real Hubs: what CI runs. `make conformance` runs every combination."""

import pytest

from tests.conformance.support.cases import run_cases
from tests.conformance.support.clients import CLIENTS

pytestmark = pytest.mark.slow
MATRIX = [
    *((name, "sqlite", True) for name in CLIENTS),
    ("newest", "postgresql", True),
    ("0.24", "postgresql", True),
    ("newest", "small-pages-behind-prefix", False),
]


@pytest.mark.parametrize(("client", "hub", "xet"), MATRIX)
def test_cases(client, hub, xet, hub_of, tmp_path):
    print(run_cases(CLIENTS[client], hub_of(hub), tmp_path, xet=xet))
