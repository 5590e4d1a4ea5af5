"""One piece of work in a process of its own: what is asked comes as JSON on the command line, what was seen goes out.

Imports are done before the clock starts. Environment: HF_ENDPOINT, HF_TOKEN, and fresh caches.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def _ready() -> None:
    """Import what is imported when it is first needed; the stock client is that lazy, too."""
    from huggingface_hub.utils import get_session

    ours = ("pytupli_registry.api", "pytupli_registry.remote.opening", "pytupli_registry.publishing.publish")
    for name in (*ours, "pyarrow.parquet"):
        import_module(name)
    get_session()


def _force(way: str) -> None:
    """Take the choice away from the planner."""
    from pytupli_registry.remote import fetching, planning

    if way == "ranges":
        planning._HASH_RATE = 1.0  # type: ignore[misc]
    elif way == "whole":
        fetching.Fetcher._plan = lambda self, _: self.plan_whole()  # type: ignore[method-assign]


def load_top(reference: str, least: float, force: str = "") -> dict[str, Any]:
    """Load every leaf of the episodes whose return is at least ``least``.

    Args:
        reference: of the dataset.
        least: the return.
        force: ``"ranges"`` or ``"whole"`` take the choice away from the planner.
    """
    import pytupli_registry

    _ready()
    _force(force)
    start = time.perf_counter()
    dataset = pytupli_registry.load(reference, episodes=f"total_return >= {least!r}")
    columns = dataset.columns()
    total = float(columns["rewards"].sum())
    return {
        "seconds": time.perf_counter() - start,
        "episodes": len(dataset),
        "total": total,
        "bytes": sum(column.nbytes for column in columns.values()),
    }


def load_again(reference: str, local: str, least: float, repeats: int = 9) -> dict[str, Any]:
    """Load from the cache, of a branch and at its commit, and from the local store in turn; return the median times."""
    import pytupli_registry

    origin = pytupli_registry.load(reference).origin
    assert origin is not None
    places = {"branch": reference, "commit": origin.reference, "local": local}
    times: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(1 + repeats):
        for name, place in places.items():
            times[name].append(load_top(place, least)["seconds"])
    return {name: float(np.median(seconds[1:])) for name, seconds in times.items()}


def minari_top(repo: str, folder: str, least: float) -> dict[str, Any]:
    """Download everything by the stock client, then filter and read with stock Minari."""
    import minari
    from huggingface_hub import hf_hub_download

    _ready()
    start = time.perf_counter()
    names = [f"{folder}/data/{name}" for name in ("metadata.json", "main_data.hdf5")]
    places = [Path(hf_hub_download(repo, name, repo_type="dataset")) for name in names]
    downloaded = time.perf_counter() - start
    dataset = minari.MinariDataset(places[0].parent)
    total, count = 0.0, 0
    for episode in dataset.filter_episodes(lambda episode: float(np.sum(episode.rewards)) >= least):
        total += float(np.sum(episode.rewards))
        count += 1
    return {
        "seconds": time.perf_counter() - start,
        "downloaded": downloaded,
        "episodes": count,
        "total": total,
    }


def download(repo: str, path: str) -> dict[str, Any]:
    """Download one file by the stock client."""
    from huggingface_hub import hf_hub_download

    _ready()
    start = time.perf_counter()
    hf_hub_download(repo, path, repo_type="dataset")
    return {"seconds": time.perf_counter() - start}


def download_and_load(repo: str, folder: str, least: float) -> dict[str, Any]:
    """Download the whole dataset by the stock client, then do as :func:`load_top` with it."""
    from huggingface_hub import hf_hub_download

    import pytupli_registry

    _ready()
    start = time.perf_counter()
    names = [f"{folder}/data/{name}" for name in ("metadata.json", "episodes.parquet", "main_data.hdf5")]
    places = [Path(hf_hub_download(repo, name, repo_type="dataset")) for name in names]
    dataset = pytupli_registry.open_dataset(places[0].parent).where(episodes=f"total_return >= {least!r}")
    columns = dataset.columns()
    return {"seconds": time.perf_counter() - start, "total": float(columns["rewards"].sum())}


def statistics(reference: str) -> dict[str, Any]:
    """Read the rewards and the flags of everything."""
    import pytupli_registry

    _ready()
    start = time.perf_counter()
    dataset = pytupli_registry.load(reference)
    columns = [dataset.column(name) for name in ("rewards", "terminations", "truncations")]
    return {"seconds": time.perf_counter() - start, "bytes": sum(column.nbytes for column in columns)}


def first_batch(reference: str, size: int = 256) -> dict[str, Any]:
    """Take the first batch of transitions out of a dataset that nothing is known of."""
    import pytupli_registry

    _ready()
    start = time.perf_counter()
    batch = next(iter(pytupli_registry.load(reference).batches(size, seed=0)))
    return {"seconds": time.perf_counter() - start, "rows": len(batch.rewards)}


def publish(name: str, organization: str) -> dict[str, Any]:
    """Publish a benchmark's datasets; the peak of memory is this process's."""
    import pytupli_registry

    _ready()
    start = time.perf_counter()
    pytupli_registry.publish(name, organization, private=True)
    return {"seconds": time.perf_counter() - start}


def append(reference: str, name: str) -> dict[str, Any]:
    """Append a local dataset to a published one."""
    from pytupli_registry.publishing.appending import append_remote

    _ready()
    start = time.perf_counter()
    append_remote(reference, name)
    return {"seconds": time.perf_counter() - start}


def upload(repo: str, folder: str) -> dict[str, Any]:
    """Upload the same folder as ``hf upload`` does."""
    from huggingface_hub import HfApi

    _ready()
    start = time.perf_counter()
    api = HfApi()
    api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
    api.upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset")
    return {"seconds": time.perf_counter() - start}


WORK = {
    work.__name__: work
    for work in (
        load_top, load_again, minari_top, download, download_and_load, statistics, first_batch, publish, append,
        upload,
    )
}  # fmt: skip

if __name__ == "__main__":
    said = WORK[sys.argv[1]](**json.loads(sys.argv[2]))
    said["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps(said))
