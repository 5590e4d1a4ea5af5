"""32 stock clients that commit to one branch at the same time, in several processes: nothing may be lost.

Half of them commit on whatever is there; the others name the commit they have seen as parent, and look again after a
412. Then the branch must have exactly the commits that were acknowledged, one after the other, with their files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from threading import Barrier
from typing import TYPE_CHECKING

from servers import ADMIN, HubProcess
from table import Row, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from huggingface_hub import HfApi

WRITERS = 32
PROCESSES = 4
COMMITS = 12  # attempts of each writer
REPO = f"{ADMIN}/shared"
MOST_S = 240  # then it is a deadlock
EXPECTED = {"200", "412"}


@dataclass(frozen=True)
class Attempt:
    """One commit that a writer tried.

    Attributes:
        path: the file in it.
        status: of the answer, or the exception's name if there was none.
        commit: the acknowledged commit, "" if it was refused.
        begun: when, by the clock that all processes share.
        seconds: until the answer.
    """

    path: str
    status: str
    commit: str
    begun: float
    seconds: float


def measure(root: Path, scale: float) -> list[Row]:
    rows = measured("SQLite", root / "sqlite", scale, None)
    with postgresql() as url:
        return rows + measured("PostgreSQL", root / "postgresql", scale, url)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL that writes to the disk before it acknowledges, as one in use does."""
    import psycopg

    from tests.server.support.postgres import Postgres

    with Postgres() as server:
        url = server.database()
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = on")
            connection.execute("SELECT pg_reload_conf()")
        yield url


def measured(database: str, root: Path, scale: float, url: str | None) -> list[Row]:
    from huggingface_hub import HfApi

    root.mkdir()
    hub = HubProcess(root / "hub", url)
    with hub.running():
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        api.create_repo(REPO, repo_type="dataset", private=True)
        before = hub.cpu_seconds()
        attempts = written(hub, max(2, round(COMMITS * scale)))
        computed = hub.cpu_seconds() - before
        lost = missing(api, attempts)
    return [integrity(database, attempts, lost), speed(database, attempts, computed)]


def written(hub: HubProcess, commits: int) -> list[Attempt]:
    """Let all writers write and return what each attempt came to.

    Raises:
        TimeoutExpired: they wait for each other.
        RuntimeError: a process failed; it has said why.
    """
    command = [sys.executable, __file__, hub.endpoint, hub.token, str(commits)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True, env=environment)
        for number in range(PROCESSES)
    ]
    until = time.monotonic() + MOST_S
    try:
        texts = [process.communicate(timeout=max(0.1, until - time.monotonic()))[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    if any(process.returncode for process in running):
        raise RuntimeError("a process of writers failed")
    return [Attempt(*attempt) for text in texts for attempt in json.loads(text)]


def missing(api: HfApi, attempts: Sequence[Attempt]) -> list[str]:
    """Return what is not as it was acknowledged."""
    acknowledged = [one for one in attempts if one.commit]
    history = [commit.commit_id for commit in api.list_repo_commits(REPO, repo_type="dataset")]
    files = set(api.list_repo_files(REPO, repo_type="dataset"))
    wrong = [f"commit {one.commit} is lost" for one in acknowledged if one.commit not in history]
    wrong += [f"{one.path} is lost" for one in acknowledged if one.path not in files]
    wrong += [
        f"{one.path} was refused, and is there" for one in attempts if not one.commit and one.path in files
    ]
    if len(history) != len(acknowledged) + 1 or len(set(history)) != len(history):
        wrong.append(f"{len(history) - 1} commits of {len(acknowledged)} that were acknowledged")
    return wrong


def integrity(database: str, attempts: Sequence[Attempt], lost: Sequence[str]) -> Row:
    counts = Counter(one.status for one in attempts)
    other = sum(count for status, count in counts.items() if status not in EXPECTED)
    measured = f"{len(lost)} lost, {other} other answers"
    said = ", ".join(f"{count} × {status}" for status, count in sorted(counts.items()))
    what = f"{WRITERS} concurrent writers on one branch, {database}"
    remark = "; ".join([said, *lost[:3]])
    return Row(what, measured, "success or 412, nothing lost", not lost and not other, remark)


def speed(database: str, attempts: Sequence[Attempt], computed: float) -> Row:
    duration = max(one.begun + one.seconds for one in attempts) - min(one.begun for one in attempts)
    times = sorted(one.seconds for one in attempts)
    made = sum(1 for one in attempts if one.commit)
    remark = (
        f"{len(attempts) / duration:.0f} attempts/s, median {spoken(times[len(times) // 2])}, slowest "
        f"{spoken(times[-1])}; the server computed {spoken(computed / len(attempts))} for each; clients on the same cores"
    )
    return Row(f"their commits, {database}", f"{made / duration:.0f}/s", "", None, remark)


class Writer:
    """One client with one token that commits a new file each time."""

    def __init__(self, endpoint: str, token: str, number: int, start: Barrier) -> None:
        from huggingface_hub import HfApi

        self._api = HfApi(endpoint=endpoint, token=token)
        self._number = number
        self._start = start

    def write(self, commits: int) -> list[Attempt]:
        self._start.wait()
        return [self._attempt(f"writer-{self._number}/file-{place}.json") for place in range(commits)]

    def _attempt(self, path: str) -> Attempt:
        from huggingface_hub.errors import HfHubHTTPError

        parent = self._api.repo_info(REPO, repo_type="dataset").sha if self._number % 2 else None
        start = time.monotonic()
        try:
            oid = self._api.upload_file(
                path_or_fileobj=path.encode(),
                path_in_repo=path,
                repo_id=REPO,
                repo_type="dataset",
                parent_commit=parent,
            ).oid
        except HfHubHTTPError as error:
            return Attempt(path, str(error.response.status_code), "", start, time.monotonic() - start)
        except Exception as error:  # noqa: BLE001 - whatever it is, the table shall tell
            return Attempt(path, type(error).__name__, "", start, time.monotonic() - start)
        return Attempt(path, "200", oid, start, time.monotonic() - start)


def work(endpoint: str, token: str, commits: int, process: int) -> None:
    """Be one of the processes: print the attempts of its writers."""
    share = WRITERS // PROCESSES
    start = Barrier(share)
    writers = [Writer(endpoint, token, process * share + number, start) for number in range(share)]
    with ThreadPoolExecutor(share) as threads:
        attempts = threads.map(lambda writer: writer.write(commits), writers)
        print(json.dumps([astuple(one) for some in attempts for one in some]))


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
