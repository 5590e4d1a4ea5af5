"""PyTupli Registry: record, publish, find, filter, load and trust offline-RL benchmarks and datasets.

Names are imported when they are first used, so that ``import pytupli_registry`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytupli_registry.api import (
        append,
        delete,
        import_dataset,
        list_datasets,
        load,
        open_dataset,
        recover,
        save,
        validate,
        write,
    )
    from pytupli_registry.benchmarks.benchmark import Benchmark
    from pytupli_registry.benchmarks.listing import list_benchmarks
    from pytupli_registry.benchmarks.origin import environment_of
    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.episode import Episode
    from pytupli_registry.dataset.transitions import Transition, Transitions
    from pytupli_registry.errors import PytupliError
    from pytupli_registry.publishing.appending import append_remote
    from pytupli_registry.publishing.indexing import index_remote
    from pytupli_registry.publishing.merging import merge
    from pytupli_registry.publishing.publish import publish
    from pytupli_registry.recorder import Recorder
    from pytupli_registry.remote.finding import search
    from pytupli_registry.selections import delete_view, diff, find_view, list_views, save_view

__version__ = "0.1.0"

_HOMES = {
    "append": "api",
    "append_remote": "publishing.appending",
    "delete": "api",
    "delete_view": "selections",
    "diff": "selections",
    "environment_of": "benchmarks.origin",
    "find_view": "selections",
    "import_dataset": "api",
    "index_remote": "publishing.indexing",
    "list_benchmarks": "benchmarks.listing",
    "list_datasets": "api",
    "list_views": "selections",
    "load": "api",
    "merge": "publishing.merging",
    "open_dataset": "api",
    "publish": "publishing.publish",
    "recover": "api",
    "save": "api",
    "save_view": "selections",
    "search": "remote.finding",
    "validate": "api",
    "write": "api",
    "Benchmark": "benchmarks.benchmark",
    "Dataset": "dataset.dataset",
    "Episode": "dataset.episode",
    "PytupliError": "errors",
    "Recorder": "recorder",
    "Transition": "dataset.transitions",
    "Transitions": "dataset.transitions",
}

__all__ = [
    "Benchmark",
    "Dataset",
    "Episode",
    "PytupliError",
    "Recorder",
    "Transition",
    "Transitions",
    "append",
    "append_remote",
    "delete",
    "delete_view",
    "diff",
    "environment_of",
    "find_view",
    "import_dataset",
    "index_remote",
    "list_benchmarks",
    "list_datasets",
    "list_views",
    "load",
    "merge",
    "open_dataset",
    "publish",
    "recover",
    "save",
    "save_view",
    "search",
    "validate",
    "write",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
