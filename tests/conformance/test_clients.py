"""The real clients against real Hubs: what CI runs. `make conformance` runs every combination."""

import pytest

from tests.conformance.support.cases import run_cases
from tests.conformance.support.clients import CLIENTS

pytestmark = pytest.mark.slow
IN_CI = [("newest", "sqlite", True), ("0.24", "sqlite", True), ("newest", "postgresql", True)]
MATRIX = [
    *IN_CI,
    *((name, "sqlite", True) for name in CLIENTS if name not in ("newest", "0.24")),
    ("0.24", "postgresql", True),
    ("newest", "small-pages-behind-prefix", False),
]
# What does not depend on where the Hub keeps things; `make conformance` runs it there too.
AFAR = (
    "access", "browser", "cards", "command_line", "discussions", "downloads", "errors", "filesystem", "git", "identity",
    "information", "listing", "minari", "models", "namespaces", "repositories", "trees", "webhooks",
)  # fmt: skip
LEFT_OUT = {("newest", "postgresql"): tuple(f"case_{name}.py" for name in AFAR)}


def _run(case):
    return pytest.param(*case, marks=[] if case in IN_CI else pytest.mark.extended)


@pytest.mark.parametrize(("client", "hub", "xet"), [_run(case) for case in MATRIX])
def test_cases(client, hub, xet, hub_of, tmp_path):
    left_out = LEFT_OUT.get((client, hub), ())
    print(run_cases(CLIENTS[client], hub_of(hub), tmp_path, xet=xet, left_out=left_out))
