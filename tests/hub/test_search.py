"""Finding datasets: the same answers from a Hub of ours, which knows facts, and from one that only lists."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pytupli_registry
from pytupli_registry.cli.output import plain
from pytupli_registry.errors import HubError, HubUnreachable
from pytupli_registry.hub import revisions as history
from pytupli_registry.hub.search import Query
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.remote.search import Results, describe_repository, find_datasets
from tests.server.support.live import LiveHub
from tests.support.public_hub import PublicHub
from tests.support.walks import at_home, commit_files, walk, write_walks

CARD = b"---\nlicense: mit\ntags: [minari, buildings]\n---\n# HVAC\n"
BENCHMARK = {
    "format": "pytupli-benchmark",
    "name": "hvac",
    "description": "Heats offices in Munich.",
    "environment": {"id": "HVAC-v1"},
    "reference_scores": {"random": {"mean": 0.0}, "expert": {"mean": 40.0}},
}
ALL = {"acme/hvac/summer-v0", "acme/hvac/winter-v1", "acme/secret/plan-v0", "bob/own/walk-v0"}
# What carol, who belongs to nothing, may read.
OPEN = {"acme/hvac/summer-v0", "acme/hvac/winter-v1"}


def peopled(live: LiveHub, root: Path) -> LiveHub:
    """With two datasets of a public and one of a private repository of acme, and a private one of bob."""
    live.organization("acme", alice="admin", bob="read")
    live.person("carol")
    alice, bob = live.api("alice"), live.api("bob")
    # Mean returns: 0.6 + 40·number/… follow from the walks; see walk().
    write_walks(
        root / "hvac", "hvac/summer-v0", [walk(1), walk(2)], environment="HVAC-v1", quality={"coverage": 0.8}
    )
    folder = write_walks(root / "hvac", "hvac/winter-v1", [walk(0, 2), walk(0, 3), walk(0, 4)]).parent
    commit_files(
        alice, "acme/hvac", folder, private=False,
        **{"README.md": CARD, "benchmark.json": json.dumps(BENCHMARK).encode()},
    )  # fmt: skip
    commit_files(
        alice, "acme/secret", write_walks(root / "secret", "secret/plan-v0", [walk(5)], description="Hush.").parent,
        **{"README.md": CARD},
    )  # fmt: skip
    commit_files(bob, "bob/own", write_walks(root / "own", "own/walk-v0", [walk(3)]).parent)
    return live


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    root = tmp_path_factory.mktemp("ours")
    live = peopled(LiveHub(root / "hub", page_size=2).start(), root)
    yield live
    live.stop()


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicHub]:
    root = tmp_path_factory.mktemp("public")
    live = PublicHub(root / "hub").start()
    peopled(live, root)
    yield live
    live.stop()


@pytest.fixture(params=["ours", "public"])
def find(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Results]:
    """Search one of the two Hubs as a user."""
    hub: LiveHub = request.getfixturevalue(request.param)

    def search(
        text: str = "", *, user: str | None = "bob", organization: str | None = "acme", **asked
    ) -> Results:
        at_home(monkeypatch, tmp_path / str(user), hub, user)
        return pytupli_registry.search(text, organization=organization, **asked)

    return search


def names(found: Results) -> set[str]:
    return {one.reference for one in found}


@pytest.mark.parametrize(
    ("user", "expected"),
    [("alice", ALL - {"bob/own/walk-v0"}), ("bob", ALL - {"bob/own/walk-v0"}), ("carol", OPEN), (None, OPEN)],
)
def test_what_one_may_not_see_is_not_found(find, user: str | None, expected: set[str]) -> None:
    assert names(find(user=user)) == expected
    assert names(find("hush", user=user)) == expected - OPEN
    assert names(find("plan", user=user)) == expected - OPEN
    assert names(find(user=user, organization="bob")) == ({"bob/own/walk-v0"} if user == "bob" else set())


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"text": "hvac summer"}, {"summer"}),
    ({"text": "HVAC"}, {"summer", "winter"}),
    ({"text": "munich winter"}, {"winter"}),
    ({"text": "hvac nothing"}, set()),
    ({"tags": ["buildings"]}, {"summer", "winter", "plan"}),
    ({"licence": "mit", "text": "plan"}, {"plan"}),
    ({"licence": "gpl-3.0"}, set()),
    ({"environment": "HVAC"}, {"summer"}),
    ({"environment": "walk-v0"}, {"winter", "plan"}),
    ({"environment": "walk-v1"}, set()),
    ({"space": "discrete"}, {"summer", "winter", "plan"}),
    ({"observation": "discrete"}, set()),
    ({"observation": "box", "action": "DISCRETE", "text": "winter"}, {"winter"}),
    ({"episodes": (2, None)}, {"summer", "winter"}),
    ({"episodes": (None, 2)}, {"summer", "plan"}),
    ({"steps": (9, 9)}, {"winter"}),
    ({"size": (1, None)}, {"summer", "winter", "plan"}),
    ({"size": (1 << 30, None)}, set()),
    ({"returns": (100, None)}, {"plan"}),
    ({"score": (150, 160)}, {"summer"}),
    ({"score": (None, 100)}, {"winter"}),
    ({"quality": {"coverage": (0.5, None)}}, {"summer"}),
    ({"quality": {"coverage": (0.9, None)}}, set()),
    ({"quality": {"terminated": (1.0, 1.0)}, "text": "winter"}, {"winter"}),
]


def test_what_is_asked_for_must_hold(find) -> None:
    found = [{name.rsplit("/", 1)[1].split("-")[0] for name in names(find(**asked))} for asked, _ in CASES]
    assert found == [expected for _, expected in CASES]


def test_pages_follow_each_other_in_order(find) -> None:
    by_steps = [(one.reference, one.steps) for one in find(sort="steps")]
    assert by_steps == [("acme/hvac/winter-v1", 9), ("acme/hvac/summer-v0", 8), ("acme/secret/plan-v0", 4)]
    pages = [find(sort="steps", ascending=True, limit=2, page=page) for page in (1, 2, 3)]
    assert [[one.steps for one in page] for page in pages] == [[4, 8], [9], []]
    assert [page.more for page in pages] == [True, False, False]
    assert [one.reference.split("/")[2] for one in find(sort="score", text="hvac")] == [
        "summer-v0",
        "winter-v1",
    ]


def test_what_is_known_of_a_dataset(find) -> None:
    (summer,) = find("summer", sort="return")
    assert (summer.dataset_id, summer.environment, summer.episodes, summer.steps) == (
        "hvac/summer-v0",
        "HVAC-v1",
        2,
        8,
    )
    assert (summer.observation, summer.action, summer.private) == ("Box", "Discrete", False)
    # 4 steps of (100·n + row)/10 each: 40.6 and 80.6.
    assert summer.returns is not None
    assert (summer.returns.min, summer.returns.mean, summer.returns.max) == pytest.approx((40.6, 60.6, 80.6))
    assert summer.score == pytest.approx(100 * 60.6 / 40)
    assert summer.quality == {"terminated": 1.0, "truncated": 0.0, "coverage": 0.8}
    assert {"minari", "buildings", "license:mit"} <= set(summer.tags)
    assert summer.size is not None
    assert summer.size > 1000


def test_what_the_hub_cannot_answer_is_said(find, request: pytest.FixtureRequest) -> None:
    public = request.node.callspec.params["find"] == "public"
    assert bool(find().notes) == public
    everywhere = find("walk", organization=None)
    # Bob's own repository has no card with the tag; a Hub of ours knows a dataset when it sees one.
    assert ("bob/own/walk-v0" in names(everywhere)) == (not public)
    if public:
        assert "tagged 'minari'" in " ".join(everywhere.notes)


def test_impossible_questions(find) -> None:
    with pytest.raises(HubError, match="not sorted by"):
        find(sort="beauty")
    with pytest.raises(HubError, match="first page is 1"):
        find(page=0)


def test_nobody_answers() -> None:
    with pytest.raises(HubUnreachable):
        find_datasets(Query(), hub=Hub("http://127.0.0.1:9", token=False))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "id", "dataset_id", "environment", "observation_space", "action_space", "total_episodes", "total_steps", "size",
    "returns", "score", "quality", "terminated", "lastModified", "downloads", "tags", "warnings", "description",
)  # fmt: skip


@pytest.fixture(scope="module")
def stranger() -> Iterator[tuple[str, list[Any]]]:
    """A Hub that says what it is told, and what that is."""
    told: list[Any] = []

    class Listing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listing)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()
    server.server_close()


@settings(max_examples=40, deadline=None)
@given(
    said=st.fixed_dictionaries({"reference": st.just("acme/x-v0")}, optional=dict.fromkeys(FIELDS, anything))
)
def test_whatever_a_hub_says_can_be_compared_and_printed(
    stranger: tuple[str, list[Any]], said: dict[str, Any]
) -> None:
    endpoint, told = stranger
    told[:] = [said]
    hub = Hub(endpoint, token=False)
    (found,) = find_datasets(Query(), hub=hub)
    assert json.dumps(plain(found), allow_nan=False)
    assert len(find_datasets(Query(quality={"terminated": (0.0, 2.0)}), hub=hub)) <= 1


@pytest.mark.parametrize("said", [None, "x", 3, [], {}, {"reference": 3}])
def test_what_is_no_dataset_is_no_answer(stranger: tuple[str, list[Any]], said: Any) -> None:
    endpoint, told = stranger
    told[:] = [said]
    with pytest.raises(HubUnreachable, match="cannot be understood"):
        find_datasets(Query(), hub=Hub(endpoint, token=False))


def test_a_repository_as_a_whole(ours: LiveHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at_home(monkeypatch, tmp_path, ours, "bob")
    found = describe_repository("acme/hvac")
    assert found.benchmark["description"] == "Heats offices in Munich."
    assert {one.reference for one in found.datasets} == OPEN
    with pytest.raises(HubError, match="none that you may read"):
        describe_repository("acme/nothing")


def test_revisions(ours: LiveHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at_home(monkeypatch, tmp_path, ours, "alice")
    hub = Hub()
    head = history.revisions(hub, "acme/hvac").branches["main"]
    assert history.create(hub, "acme/hvac", "tag", "v1") == head
    assert history.create(hub, "acme/hvac", "branch", "fixes", at="v1") == head
    found = history.revisions(hub, "acme/hvac", "v1", limit=1)
    assert (found.tags, found.branches) == ({"v1": head}, {"main": head, "fixes": head})
    assert [(one.commit, one.title, one.authors) for one in found.commits] == [(head, "data", ("alice",))]
    with pytest.raises(HubError):
        history.create(hub, "acme/hvac", "tag", "v1")
    history.delete(hub, "acme/hvac", "tag", "v1")
    history.delete(hub, "acme/hvac", "branch", "fixes")
    assert history.revisions(hub, "acme/hvac").tags == {}
    at_home(monkeypatch, tmp_path, ours, "bob")
    with pytest.raises(HubError):
        history.create(Hub(), "acme/hvac", "tag", "v2")
    with pytest.raises(HubError):
        history.revisions(Hub(), "acme/none")
