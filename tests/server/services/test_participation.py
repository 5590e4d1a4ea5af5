"""Many at once, on both databases: numbers, merges, likes and deliveries come out right."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd
from sqlalchemy import delete, func, select

from pytupli_registry.server.database.schema import Repository, Webhook, WebhookDelivery
from pytupli_registry.server.services.webhook_delivery import deliver_due
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.support.postgres import Postgres

REPO = "acme/hvac"
AT_ONCE = 8


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    settings: dict[str, Any] = {"webhook_hosts": ("127.0.0.1",)}
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        settings["database_url"] = postgres.database()
    hub = LiveHub(tmp_path_factory.mktemp("hub"), **settings).start()
    hub.organization("acme", alice="admin")
    for number in range(AT_ONCE):
        hub.person(f"user{number}")
    yield hub
    hub.stop()


@pytest.fixture
def hub(live: LiveHub) -> LiveHub:
    """A Hub with one public repository."""
    api = live.api("alice")
    api.delete_repo(REPO, repo_type="dataset", missing_ok=True)
    api.create_repo(REPO, repo_type="dataset", private=False)
    api.create_commit(
        REPO, [CommitOperationAdd("shared.txt", b"0\n")], commit_message="Start", repo_type="dataset"
    )
    return live


def post(
    hub: LiveHub, path: str, body: Any = None, name: str = "alice", method: str = "POST"
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {hub.person(name).token}"}
    url = f"{hub.endpoint}/api/datasets/{REPO}/{path}"
    return httpx2.request(method, url, json=body, headers=headers, timeout=60)


def together(call: Callable[[int], Any], count: int = AT_ONCE) -> list[Any]:
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(call, range(count)))


def propose(hub: LiveHub, number: int, path: str) -> int:
    made = hub.api(f"user{number}").create_commit(
        REPO,
        [CommitOperationAdd(path, b"by %d\n" % number)],
        commit_message=f"Change {number}",
        repo_type="dataset",
        create_pr=True,
    )
    assert made.pr_num is not None
    return made.pr_num


def test_every_discussion_has_a_number_of_its_own(hub: LiveHub) -> None:
    made = together(
        lambda n: post(
            hub, "discussions", {"title": f"Title {n}", "pullRequest": n % 2 == 0}, f"user{n}"
        ).json()["num"]
    )
    assert sorted(made) == list(range(1, AT_ONCE + 1))
    comments = together(
        lambda n: post(hub, "discussions/1/comment", {"comment": str(n)}, f"user{n}").status_code
    )
    assert set(comments) == {200}
    events = hub.api().get_discussion_details(REPO, 1, repo_type="dataset").events
    assert sorted(event.content for event in events) == [str(number) for number in range(AT_ONCE)]


def test_merges_of_different_files_all_succeed(hub: LiveHub) -> None:
    numbers = together(lambda n: propose(hub, n, f"file{n}.txt"))
    assert {
        answer.status_code for answer in together(lambda n: post(hub, f"discussions/{numbers[n]}/merge"))
    } == {200}
    files = hub.api().list_repo_files(REPO, repo_type="dataset")
    assert {f"file{number}.txt" for number in range(AT_ONCE)} <= set(files)
    assert len(hub.api().list_repo_commits(REPO, repo_type="dataset")) == AT_ONCE + 2


def test_of_merges_that_contradict_each_other_one_succeeds(hub: LiveHub) -> None:
    numbers = together(lambda n: propose(hub, n, "shared.txt"))
    answers = [
        answer.status_code for answer in together(lambda n: post(hub, f"discussions/{numbers[n]}/merge"))
    ]
    assert sorted(answers) == [200] + [409] * (AT_ONCE - 1)
    assert len(hub.api().list_repo_commits(REPO, repo_type="dataset")) == 3


def test_merging_twice_at_once_merges_once(hub: LiveHub) -> None:
    number = propose(hub, 0, "file.txt")
    answers = [answer.status_code for answer in together(lambda _: post(hub, f"discussions/{number}/merge"))]
    assert sorted(answers) == [200] + [409] * (AT_ONCE - 1)


def test_commits_and_a_merge_at_once_lose_nothing(hub: LiveHub) -> None:
    number = propose(hub, 0, "file.txt")

    def step(place: int) -> int:
        if place == 0:
            return post(hub, f"discussions/{number}/merge").status_code
        body = (
            '{"key": "header", "value": {"summary": "More"}}\n'
            f'{{"key": "file", "value": {{"path": "more{place}.txt", "content": ""}}}}\n'
        )
        headers = {"authorization": f"Bearer {hub.person('alice').token}"}
        url = f"{hub.endpoint}/api/datasets/{REPO}/commit/refs%2Fpr%2F{number}"
        return httpx2.post(url, content=body, headers=headers, timeout=60).status_code

    answers = together(step)
    assert answers[0] == 200
    assert set(answers[1:]) <= {200, 409}
    api = hub.api()
    merged = api.list_repo_files(REPO, repo_type="dataset")
    committed = api.list_repo_files(REPO, revision=f"refs/pr/{number}", repo_type="dataset")
    assert set(merged) == set(committed)
    assert sum(file.startswith("more") for file in merged) == answers[1:].count(200)


def test_likes_are_counted_exactly(hub: LiveHub) -> None:
    together(lambda n: post(hub, "like", name=f"user{n // 2}"))
    assert hub.api().dataset_info(REPO).likes == AT_ONCE // 2
    together(lambda n: post(hub, "like", name=f"user{n}", method="POST" if n >= AT_ONCE // 2 else "DELETE"))
    assert hub.api().dataset_info(REPO).likes == AT_ONCE // 2


def test_several_processes_deliver_each_event_once(live: LiveHub) -> None:
    got: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        got.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(receive, "127.0.0.1", 0)
        async with server:
            _queue(live, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", 60)
            while sum(await asyncio.gather(*(deliver_due(live.hub) for _ in range(4)))) or _waiting(live):
                await asyncio.sleep(0.01)

    asyncio.run(run())
    assert sorted(got) == sorted(b'{"number": %d}' % number for number in range(60))


def _queue(live: LiveHub, url: str, events: int) -> None:
    with live.hub.database.write() as session:
        session.execute(delete(Repository))
        session.execute(delete(Webhook))
        user_id = live.person("alice").user_id
        session.add(Webhook(id="1", user_id=user_id, url=url, watched=[], domains=[]))
        session.flush()
        session.add_all(
            WebhookDelivery(webhook_id="1", payload={"number": number}) for number in range(events)
        )


def _waiting(live: LiveHub) -> int:
    with live.hub.database.read() as session:
        return session.scalar(select(func.count()).select_from(WebhookDelivery)) or 0
