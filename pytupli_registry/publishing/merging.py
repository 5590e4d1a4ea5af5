"""One dataset out of several, here or on the Hub: episodes with their seeds, options and facts, in the order given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytupli_registry.dataset.runs import kept_episodes
from pytupli_registry.errors import EpisodeError
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.publishing.likeness import check_alike
from pytupli_registry.publishing.opening import opened, source_of
from pytupli_registry.storage.forms import stored_dtypes
from pytupli_registry.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytupli_registry.dataset.dataset import Dataset

__all__ = ["merge"]

# What a dataset is made with, and by whom: kept where it is the same, or as a list of all.
_LISTED = ("author", "author_email", "algorithm_name", "requirements")


def merge(
    sources: Sequence[str | Dataset],
    into: str,
    *,
    description: str | None = None,
    any_environment: bool = False,
    advance: Callable[[int], None] | None = None,
    hub: Hub | None = None,
) -> Dataset:
    """Write the episodes of several datasets into a new local one.

    Args:
        sources: references, local or on the Hub, or datasets; filters are applied.
        into: id of the new dataset, ``hvac/all-v0``.
        description: of the new dataset.
        any_environment: whether they may be of environments of different ids, if only the spaces are the same.
        advance: called with 1 for each episode that is written.
        hub: where remote ones are; None is the one that is meant.

    Raises:
        DatasetNotFound: one of them is nowhere.
        DatasetExists: there is a dataset of the new id.
        EpisodeError: their spaces, dtypes or environments differ, or there is no episode.
        HubError: the Hub refuses, or cannot be reached.
    """
    if not sources:
        raise EpisodeError("There is nothing to merge.", hint="Name two datasets or more.")
    datasets = [opened(source, hub or Hub()) if isinstance(source, str) else source for source in sources]
    for other in datasets[1:]:
        check_alike(datasets[0].metadata, other.metadata, any_environment=any_environment)
        _check_dtypes(datasets[0], other)
    store, first = LocalStore.from_environment(), datasets[0].metadata
    with store.writer(
        into.removeprefix("local://"),
        observation_space=first.observation_space,
        action_space=first.action_space,
        env_spec=_common([dataset.metadata.env_spec for dataset in datasets]),
        extra=_facts(datasets, description),
        dtypes=stored_dtypes(datasets[0].leaves),
    ) as writer:
        for dataset in datasets:
            for episode in kept_episodes(dataset):
                writer.add(episode)
                if advance is not None:
                    advance(1)
    return store.open(writer.dataset_id)


def _check_dtypes(first: Dataset, other: Dataset) -> None:
    mine, theirs = stored_dtypes(first.leaves), stored_dtypes(other.leaves)
    differing = [path for path in mine if mine[path] != theirs.get(path)]
    if differing:
        names = f"{first.metadata.dataset_id} and {other.metadata.dataset_id}"
        path = differing[0]
        raise EpisodeError(f"{names} keep {path} in different dtypes, {mine[path]} and {theirs.get(path)}.")


def _common(values: Sequence[Any]) -> Any:  # noqa: ANN401 - what JSON may hold
    return values[0] if all(value == values[0] for value in values) else None


def _facts(datasets: Sequence[Dataset], description: str | None) -> dict[str, Any]:
    """Return what ``metadata.json`` says of the whole: what all agree on, lists of who and how, and the sources."""
    extras = [dataset.metadata.extra for dataset in datasets]
    facts = {
        key: value
        for key, value in extras[0].items()
        if key not in (*_LISTED, "dataset_size", "description")
        and all(extra.get(key) == value for extra in extras)
    }
    for key in _LISTED:
        told = [one for extra in extras for one in _list(extra.get(key))]
        if told:
            facts[key] = told[0] if len(set(told)) == 1 else list(dict.fromkeys(told))
    if description is not None:
        facts["description"] = description
    return {**facts, "merged_from": [source_of(dataset) for dataset in datasets]}


def _list(value: object) -> list[str]:
    given = value if isinstance(value, list) else [value]
    return [one for one in given if isinstance(one, str)]
