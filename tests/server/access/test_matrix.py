"""Every route × every caller × every kind of repository and organization.

Whoever may, succeeds. Whoever may see, but not do, hears 401 (log in) or 403. Whoever may not see hears, byte by
byte, what they would hear of something that does not exist.
"""

from collections.abc import Iterator

import pytest

from pytupli_registry.server.routes import ROUTERS, out_of_scope
from pytupli_registry.server.web import PAGES
from tests.server.access.expectations import EXPECTED, OID, XET, Case
from tests.server.access.rules import CALLERS, DEAD, EVERYBODY, ORGANIZATION, OTHERS, REPOSITORY
from tests.server.access.world import ACME, MISSING, ORGANIZATIONS, REPOSITORIES, Answer, World

INVALID = "Invalid credentials in Authorization header"
LEFT_OUT = {(method, route.path) for route in out_of_scope.router.routes for method in route.methods}
ROUTES = {
    (method, route.path)
    for router in (*PAGES, *ROUTERS)
    for route in router.routes
    for method in route.methods
}
CASES = [
    pytest.param(method, path, case, id=f"{method} {path} {number}" if len(cases) > 1 else f"{method} {path}")
    for (method, path), cases in EXPECTED.items()
    for number, case in enumerate(cases)
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def test_every_route_is_expected() -> None:
    assert sorted(EXPECTED) == sorted(ROUTES - LEFT_OUT)


@pytest.mark.slow
def test_what_is_left_out_is_left_out_for_everybody(world: World) -> None:
    for path in sorted({path for method, path in LEFT_OUT if method == "GET"} - {"/api/spaces/templates"}):
        case = Case("nobody", path=(("rest:path", "x"),))
        for who in ("nobody", "root", "expired"):
            assert world.ask(who, "GET", place(world, path, case, "secret")).status == 501, path


def place(world: World, path: str, case: Case, name: str) -> str:
    """Fill in a route's path."""
    kind = "model" if path.startswith("/{namespace}") else "dataset"
    usual = {
        **XET,
        "family": "datasets",
        "namespace": ACME,
        "name": name,
        "organization": name,
        "user": "olga",
        "revision": "main",
        "branch": "side",
        "tag": "v1",
        "path:path": "a.txt",
        "topic:path": "a",
        "number": "1",
        "comment_id": "0" * 24,
        "webhook_id": world.webhook,
        "oid": OID,
        "upload_id": "0" * 32,
        "xorb_hash": "0" * 64,
        "status": "pending",
        "token": "tests",
    }
    if "{comment_id}" in path and name != MISSING:
        usual["comment_id"] = world.comment_of(kind, name)
    for key, value in case.path:
        usual["path:path" if key == "path" else key] = value
    for key, value in usual.items():
        path = path.replace(f"{{{key}}}", value)
    assert "{" not in path, path
    return path


def try_out(world: World, who: str, method: str, path: str, case: Case, name: str) -> Answer:
    answer = world.ask(who, method, place(world, path, case, name), case.send(name))
    if case.changes and answer.status < 400:
        world.restore()
    return answer


def check_allowed(who: str, answer: Answer, case: Case) -> None:
    told = f"{who}: {answer.status} {answer.text[:300]}"
    if case.answers:
        assert answer.status in case.answers, told
    else:
        assert 200 <= answer.status < 300, told


def check_refused(who: str, answer: Answer, case: Case) -> None:
    told = f"{who}: {answer.status} {answer.text[:300]}"
    usual = (401,) if who == "nobody" else (403,)
    assert answer.status in ((case.refusal,) if case.refusal else usual), told


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path", "case"), CASES)
def test_who_may(world: World, method: str, path: str, case: Case) -> None:
    if case.takes in REPOSITORY:
        for name in REPOSITORIES:
            check_named(
                world, method, path, case, name, REPOSITORY[case.takes][name], REPOSITORY["see"][name]
            )
    elif case.takes in ORGANIZATION:
        for name in ORGANIZATIONS:
            seen = ORGANIZATION["organization: see"][name]
            if case.takes == "organization: list":
                seen = ORGANIZATION[case.takes][name]  # whose members one may not see has none
            check_named(world, method, path, case, name, ORGANIZATION[case.takes][name], seen)
    else:
        check_others(world, method, path, case)


def check_named(
    world: World, method: str, path: str, case: Case, name: str, may: frozenset[str], see: frozenset[str]
) -> None:
    for who in CALLERS:
        answer = try_out(world, who, method, path, case, name)
        if who in may:
            check_allowed(who, answer, case)
        elif who in see:
            check_refused_of(who, answer, case, path)
        else:
            missing = try_out(world, who, method, path, case, MISSING)
            assert answer.status in (401, 403, 404), f"{who}: {answer.status} {answer.text[:300]}"
            assert answer.renamed(name, MISSING) == missing, who


def check_refused_of(who: str, answer: Answer, case: Case, path: str) -> None:
    git_asks = who == "nobody" and answer.status == 401 and ("/info/" in path or "/git-" in path)
    if case.takes == "read" and "json" in str(answer.headers) and not git_asks:
        assert (answer.status, answer.code) == (403, "GatedRepo")  # nobody, too: clients tell it by the code
    elif case.takes == "ask":
        assert answer.status in ((401,) if who == "nobody" else (400, 403, 409)), answer.text[:300]
    else:
        check_refused(who, answer, case)


def check_others(world: World, method: str, path: str, case: Case) -> None:
    if case.takes == "page of a repository":
        return check_page(world, method, path, case)
    if case.takes.startswith("own"):
        return check_own(world, method, path, case)
    for who in CALLERS:
        answer = try_out(world, who, method, path, case, "public")
        if who in OTHERS[case.takes]:
            check_allowed(who, answer, case)
        else:
            check_refused(who, answer, case)
        if who not in REPOSITORY["see"]["secret"]:
            assert f"{ACME}/secret" not in answer.text
    return None


def check_page(world: World, method: str, path: str, case: Case) -> None:
    """Tokens mean nothing here: everybody is a stranger without a name."""
    for who in CALLERS:
        for name in ("public", "gatedr"):
            assert try_out(world, who, method, path, case, name).status == 303
        secret = try_out(world, who, method, path, case, "secret")
        assert secret.renamed("secret", MISSING) == try_out(world, who, method, path, case, MISSING)


def check_own(world: World, method: str, path: str, case: Case) -> None:
    """What is olga's own does not exist for others, administrators included."""
    unknown = Case(case.takes, case.send, (("webhook_id", "0" * len(world.webhook)),))
    for who in CALLERS:
        answer = try_out(world, who, method, path, case, "")
        if who == "olga" or (who == "weak" and "write" not in case.takes):
            check_allowed(who, answer, case)
        else:
            missing = try_out(world, who, method, path, unknown, "")
            assert answer.renamed(world.webhook, "0" * len(world.webhook)) == missing
            assert answer.status == {"nobody": 401, "weak": 403}.get(who, 404)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), sorted(EXPECTED))
def test_tokens_that_do_not_work(world: World, method: str, path: str) -> None:
    """Expired, revoked, of a disabled user, or never made: all the same, even where no token is needed."""
    for case in EXPECTED[method, path]:
        name = "hidden" if case.takes in ORGANIZATION else "secret"
        answers = [try_out(world, who, method, path, case, name) for who in DEAD]
        if case.ignores_tokens:
            assert all(answer.status != 500 for answer in answers)
        else:
            assert len(set(answers)) == 1
            assert (answers[0].status, answers[0].message) == (401, INVALID)


@pytest.mark.slow
def test_listings_show_what_may_be_seen(world: World) -> None:
    for family in ("datasets", "models"):
        for who in CALLERS:
            listed = world.ask(who, "GET", f"/api/{family}?author={ACME}").text
            for name in REPOSITORIES:
                assert (f'"{ACME}/{name}"' in listed) is (who in REPOSITORY["see"][name]), (who, name)


@pytest.mark.slow
def test_a_name_that_is_taken_in_secret(world: World) -> None:
    """Creating what exists tells so to those who may create there, and they may see it."""
    body = {"name": "secret", "organization": ACME, "type": "dataset"}
    for who in CALLERS:
        answer = world.client.post(
            "/api/repos/create",
            json=body,
            headers={"Authorization": f"Bearer {world.tokens[who]}"} if who != "nobody" else {},
        )
        may = who in ORGANIZATION["organization: create"]["hidden"]
        assert answer.status_code == (409 if may else 401 if who == "nobody" else 403)


def test_the_rules_are_told_apart() -> None:
    """Each kind of caller differs from every other in something, or it would not be worth asking."""
    rules = [*REPOSITORY.values(), *ORGANIZATION.values()]
    lines = {
        who: tuple(who in may for rule in rules for may in rule.values())
        + tuple(who in may for may in OTHERS.values())
        for who in EVERYBODY
    }
    assert len(set(lines.values())) == len(EVERYBODY)
