"""Every client against every kind of Hub, and the newest one with and without Xet: `make conformance`."""

import pytest

from tests.conformance.support.cases import run_cases
from tests.conformance.support.clients import CLIENTS
from tests.conformance.support.hubs import KINDS

MATRIX = [(name, kind, True) for kind in KINDS for name in CLIENTS] + [
    ("newest", kind, False) for kind in KINDS
]


@pytest.mark.parametrize(("client", "hub", "xet"), MATRIX)
def test_cases(client, hub, xet, hub_of, tmp_path):
    print(run_cases(CLIENTS[client], hub_of(hub), tmp_path, xet=xet))
