"""Datasets that something is made of, wherever they lie, and what provenance says of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import DatasetNotFound
from pytupli_registry.publishing.local import open_local
from pytupli_registry.references import Reference
from pytupli_registry.remote.opening import open_dataset
from pytupli_registry.storage.local import LocalStore
from pytupli_registry.storage.trust import DATA_NAME

if TYPE_CHECKING:
    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.hub.snapshots import Hub

__all__ = ["opened", "source_of"]


def opened(text: str, hub: Hub) -> Dataset:
    """Open a dataset: of the local store, or else of the Hub.

    Raises:
        DatasetNotFound: there is none in either place.
        HubError: the Hub refuses, or cannot be reached.
    """
    reference = Reference.parse_dataset(text)
    if reference.scheme != "hf" and reference.revision is None:
        try:
            return LocalStore.from_environment().open(reference.dataset_id)
        except DatasetNotFound:
            if reference.scheme == "local" or len(reference.namespace) < 2:
                raise
    return open_dataset(reference, hub)


def source_of(dataset: Dataset) -> dict[str, Any]:
    """Return what identifies the data of a dataset: id, hash, commit where it has one, filters and counts."""
    said: dict[str, Any] = {"dataset": dataset.metadata.dataset_id}
    if dataset.origin is not None:
        said |= {
            "dataset": f"{dataset.origin.repo}/{dataset.origin.path_in_repo}",
            "commit": dataset.origin.commit,
            "sha256": dataset.origin.data_sha256,
        }
    elif (Path(dataset.source) / DATA_NAME).is_file():
        name, _, path = dataset.metadata.dataset_id.rpartition("/")
        said["sha256"] = open_local(Path(dataset.source).parent, path, name).index.data_sha256
    filters = {"episode_filter": dataset.episode_filter, "step_filter": dataset.step_filter}
    said |= {name: str(given) for name, given in filters.items() if given is not None}
    return {**said, "episodes": dataset.episode_count, "steps": dataset.transition_count}
