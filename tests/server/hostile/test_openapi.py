"""Every route of the OpenAPI document, with arguments that fit it and that do not: never a failure of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = {
    "namespace": "acme",
    "name": "hvac",
    "revision": "main",
    "path": "a.txt",
    "organization": "acme",
}


@pytest.fixture(scope="module")
def hostile_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A Hub with something in it, whose owner turns hostile."""
    hub = LiveHub(
        tmp_path_factory.mktemp("hostile"), max_commit_size=1 << 20, login_attempts=1_000_000
    ).start()
    hub.organization("acme", alice="admin")
    api = hub.api("alice")
    for family in ("dataset", "model", "space"):
        space = {"space_sdk": "static"} if family == "space" else {}
        api.create_repo("acme/hvac", repo_type=family, private=False, **space)
        api.upload_file(path_or_fileobj=b"a", path_in_repo="a.txt", repo_id="acme/hvac", repo_type=family)
    yield hub
    hub.stop()


def attack(hub: LiveHub, operation: Any, mode: GenerationMode) -> list[str]:
    """Send what hypothesis thinks of, and return what made the server fail."""
    token, failures = hub.person("alice").token, []

    @settings(
        max_examples=4,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def send(case: Any, known: bool) -> None:
        # Random names are no repository: half of the requests go to one that there is.
        if known:
            case.path_parameters.update({k: v for k, v in REPOSITORY.items() if k in case.path_parameters})
        answer = case.call(base_url=hub.endpoint, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        if case.path == "/ready":  # this Hub has no migrations, and says so
            assert answer.status_code == 503
        elif answer.status_code >= 500 and answer.status_code not in (501, 507):
            failures.append(f"{case.method} {answer.request.url} {case.body!r:.300}: {answer.text[:300]}")
        elif answer.status_code >= 400 and "traceback" in answer.text.lower():
            failures.append(f"{case.method} {answer.request.url}: shows a traceback")

    try:
        send()
    except Unsatisfiable:  # nothing about it can be wrong
        assert mode is GenerationMode.NEGATIVE
    return failures


@pytest.mark.slow
@pytest.mark.extended
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_makes_the_server_fail(hostile_hub: LiveHub, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{hostile_hub.endpoint}/api/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 60
    failures = [failure for operation in operations for failure in attack(hostile_hub, operation, mode)]
    assert not failures, "\n".join(failures)
