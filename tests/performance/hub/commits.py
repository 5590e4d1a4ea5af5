"""Commits of very many small files by the stock client, each to a repository of its own, and how the time grows."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servers import ADMIN, HubProcess
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

    from huggingface_hub import HfApi

COUNTS = (1_000, 10_000, 20_000)
IN_A_FOLDER = 500
BYTES = 600
MOST_S = 30
LINEAR = 1.3  # times as long for each file of the largest commit as of a smaller one


def measure(root: Path, scale: float) -> list[Row]:
    from huggingface_hub import HfApi

    hub = HubProcess(root / "hub")
    counts = [int(count * scale) for count in COUNTS]
    with hub.running():
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        committed(hub, api, root, min(100, *counts), "warm")
        measured = {count: committed(hub, api, root, count, f"of-{count}") for count in counts}
        rows = [row(count, one, is_goal=count == counts[1]) for count, one in measured.items()]
        rows.append(linearity({count: one.whole for count, one in measured.items()}))
        rows += [whole_folder(hub, api, root, counts[1]), small_change(api, counts[1])]
    return rows


@dataclass(frozen=True)
class Duration:
    """Seconds of one ``create_commit``: until its commit is sent, with the questions how to send each file;
    from then to the answer; and what the server computed for all of it.
    """

    preparing: float
    committing: float
    computed: float

    @property
    def whole(self) -> float:
        return self.preparing + self.committing


def committed(hub: HubProcess, api: HfApi, root: Path, count: int, name: str) -> Duration:
    from huggingface_hub import CommitOperationAdd

    folder, repo = root / name, f"{ADMIN}/{name}"
    files = write_files(folder, count)
    api.create_repo(repo, repo_type="dataset", private=True)
    operations = [CommitOperationAdd(path, folder / path) for path in files]
    watched = Watched(repo)
    before, start = hub.cpu_seconds(), time.perf_counter()
    api.create_commit(repo, operations, commit_message="files", repo_type="dataset")
    end, computed = time.perf_counter(), hub.cpu_seconds() - before
    check(api, repo, count)
    return Duration(watched.begun - start, end - watched.begun, computed)


def check(api: HfApi, repo: str, count: int) -> None:
    assert len(api.list_repo_files(repo, repo_type="dataset")) == count + 1  # and .gitattributes


def whole_folder(hub: HubProcess, api: HfApi, root: Path, count: int) -> Row:
    repo = f"{ADMIN}/folder"
    api.create_repo(repo, repo_type="dataset", private=True)
    start = time.perf_counter()
    api.upload_folder(repo_id=repo, folder_path=root / f"of-{count}", repo_type="dataset")
    duration = time.perf_counter() - start
    check(api, repo, count)
    made = len(api.list_repo_commits(repo, repo_type="dataset")) - 1
    what = f"`upload_folder` of {count:,} small files"
    remark = f"the client makes {made} commits of them"
    return Row(what, spoken(duration), f"≤ {MOST_S} s", duration <= MOST_S, remark)


def write_files(folder: Path, count: int) -> list[str]:
    """Write files that nobody has yet and return their paths in the folder."""
    numbers = random.Random(count)
    files = [f"part-{number // IN_A_FOLDER}/episode-{number}.json" for number in range(count)]
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"content": numbers.randbytes(BYTES // 2).hex()}))
    return files


class Watched:
    """Notes when the client sends the commit itself, after it has asked for every file how to send it."""

    def __init__(self, repo: str) -> None:
        from huggingface_hub import get_session

        self.begun = 0.0
        self._address = f"/datasets/{repo}/commit/"
        get_session().event_hooks["request"].append(self)

    def __call__(self, request: object) -> None:
        if self._address in str(request.url):
            self.begun = time.perf_counter()


def row(count: int, one: Duration, *, is_goal: bool) -> Row:
    remark = (
        f"{spoken(one.preparing)} until the client sends the commit (asking for each file how), "
        f"{spoken(one.committing)} for it; the server computed {spoken(one.computed)}"
    )
    target, met = (f"≤ {MOST_S} s", one.whole <= MOST_S) if is_goal else ("", None)
    return Row(f"commit of {count:,} small files, `create_commit`", spoken(one.whole), target, met, remark)


def linearity(durations: dict[int, float]) -> Row:
    """Compare the time of each file in the largest commit with the least in the smaller ones."""
    each = {count: duration / count for count, duration in durations.items()}
    growth = each[max(each)] / min(each[count] for count in each if count != max(each))
    remark = ", ".join(f"{count:,} files: {spoken(duration)} each" for count, duration in each.items())
    return Row(
        f"time of each file in a commit of {max(each):,} against smaller ones",
        f"{growth:.2f}×",
        f"linear (≤ {LINEAR:g}×)",
        growth <= LINEAR,
        remark,
    )


def small_change(api: HfApi, count: int) -> Row:
    """One file more where there are very many: what a commit costs that need not look at the others."""
    repo = f"{ADMIN}/of-{count}"
    times = []
    for number in range(5):
        start = time.perf_counter()
        path = f"part-0/one-more-{number}.json"
        api.upload_file(path_or_fileobj=b"{}\n", path_in_repo=path, repo_id=repo, repo_type="dataset")
        times.append(time.perf_counter() - start)
    return Row(f"commit of one file beside {count:,}", spoken(sorted(times)[2]), "", None, "`upload_file`")
