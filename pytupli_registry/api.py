"""What a user calls: thin over the local store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.dataset.runs import kept_episodes
from pytupli_registry.errors import (
    DatasetNotFound,
    EpisodeError,
    HubUnreachable,
    InvalidReference,
    NotCached,
    RepositoryNotFound,
    did_you_mean,
)
from pytupli_registry.references import Reference
from pytupli_registry.storage import commit
from pytupli_registry.storage.forms import stored_dtypes
from pytupli_registry.storage.local import LocalStore, open_directory
from pytupli_registry.storage.repack import repack as repack_dataset
from pytupli_registry.storage.target import spool_root
from pytupli_registry.validation import validate as validate_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import gymnasium

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.episode import Episode
    from pytupli_registry.filters.expression import Expression
    from pytupli_registry.storage.commit import Unfinished
    from pytupli_registry.storage.local import StoredDataset
    from pytupli_registry.validation import Report

__all__ = [
    "append",
    "delete",
    "discard",
    "import_dataset",
    "list_datasets",
    "load",
    "open_dataset",
    "open_reference",
    "recover",
    "repack",
    "save",
    "unfinished",
    "validate",
    "write",
]


def load(
    reference: str, episodes: Expression | str | None = None, steps: Expression | str | None = None
) -> Dataset:
    """Open a dataset of the local store or of a Hub; values are read, or come over the network, when asked for.

    Without a scheme the local store is asked first, and then the Hub. What was loaded from a Hub says so:
    ``dataset.origin`` has the commit.

    Args:
        reference: ``cartpole/mixed-v0``, ``acme/hvac@main/summer-v0`` or, for a saved view,
            ``acme/hvac/summer-v0#expert-july``; ``local://`` or ``hf://`` in front says where to look.
        episodes: keep the episodes for which this filter is true.
        steps: keep the transitions for which this filter is true, each with its true successor.

    Raises:
        InvalidReference: the reference cannot be parsed.
        DatasetNotFound: there is no such dataset.
        FormatError: a file does not hold what it should.
        FilterError: a filter cannot be parsed or does not fit the dataset.
        HubError: the Hub refuses, or cannot be reached.
    """
    dataset = open_reference(reference)
    return dataset if episodes is None and steps is None else dataset.where(episodes, steps)


def open_reference(text: str, *, advance: Callable[[int], None] | None = None) -> Dataset:
    """Open what a reference names, see :func:`load`.

    Args:
        text: the reference.
        advance: called with the bytes that come over the network, now and when values are read.
    """
    reference = Reference.parse_dataset(text)
    dataset = _open_local(reference) or _open_remote(reference, advance)
    if reference.view is None:
        return dataset
    from pytupli_registry.remote.view_files import load_view  # noqa: PLC0415 - as below

    return load_view(dataset, reference.view)


def open_dataset(path: str | Path) -> Dataset:
    """Open the dataset in a directory, wherever it lies.

    Args:
        path: the directory that holds ``main_data.hdf5``, or the one above it.

    Raises:
        DatasetNotFound: there is none.
        FormatError: a file does not hold what it should.
    """
    return open_directory(_data_directory(Path(path)))


def list_datasets() -> list[StoredDataset]:
    """Return every dataset of the local store, by id; those that cannot be read say why."""
    return LocalStore.from_environment().list()


def write(
    dataset_id: str,
    episodes: Iterable[Episode],
    *,
    observation_space: gymnasium.Space[Any] | Mapping[str, Any],
    action_space: gymnasium.Space[Any] | Mapping[str, Any],
    env_spec: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Dataset:
    """Write episodes that were recorded elsewhere (historic data, another tool) as a new local dataset.

    Args:
        dataset_id: as in Minari, ``namespace/name-vN``.
        episodes: taken one at a time; they need not fit into memory together.
        observation_space: a Gymnasium space, or Minari's JSON object for one.
        action_space: likewise.
        env_spec: the environment as Gymnasium's ``EnvSpec`` JSON text, where there is one.
        extra: facts about the dataset: author, description, algorithm_name, …

    Raises:
        DatasetExists: there is a dataset of that id.
        EpisodeError: an episode breaks the T / T+1 rule or does not fit the spaces.
    """
    store, new_id = LocalStore.from_environment(), _local_id(dataset_id)
    with store.writer(
        new_id,
        observation_space=observation_space,
        action_space=action_space,
        env_spec=env_spec,
        extra=extra,
    ) as writer:
        for episode in episodes:
            writer.add(episode)
    return store.open(new_id)


def save(dataset: Dataset, dataset_id: str, *, advance: Callable[[int], None] | None = None) -> Dataset:
    """Write what the filters of a dataset keep as a new local dataset.

    Without a step filter these are whole episodes; with one, maximal runs of kept steps, see
    :func:`pytupli_registry.dataset.runs.kept_episodes`. Where they came from is kept in the metadata.

    Args:
        dataset: what to write.
        dataset_id: id of the new dataset.
        advance: called with 1 for each episode that is written.

    Raises:
        DatasetExists: there is a dataset of that id.
        EpisodeError: the filters keep nothing.
    """
    metadata = dataset.metadata
    origin = {
        "filtered_from": metadata.dataset_id if dataset.origin is None else dataset.origin.reference,
        "episode_filter": None if dataset.episode_filter is None else str(dataset.episode_filter),
        "step_filter": None if dataset.step_filter is None else str(dataset.step_filter),
    }
    if dataset.transition_count == 0:
        raise EpisodeError(
            f"The filters keep nothing of {metadata.dataset_id}.",
            hint="A dataset needs at least one episode.",
        )
    store, new_id = LocalStore.from_environment(), _local_id(dataset_id)
    with store.writer(
        new_id,
        observation_space=metadata.observation_space,
        action_space=metadata.action_space,
        env_spec=metadata.env_spec,
        extra={**metadata.extra, **{key: value for key, value in origin.items() if value is not None}},
        dtypes=stored_dtypes(dataset.leaves),
    ) as writer:
        for episode in kept_episodes(dataset):
            writer.add(episode)
            if advance is not None:
                advance(1)
    return store.open(new_id)


def append(dataset_id: str, episodes: Iterable[Episode]) -> Dataset:
    """Add episodes to a local dataset; what is there is not moved.

    Raises:
        DatasetNotFound: there is no such dataset.
        EpisodeError: an episode does not fit the dataset.
    """
    store = LocalStore.from_environment()
    with store.append(_local_id(dataset_id)) as writer:
        for episode in episodes:
            writer.add(episode)
    return store.open(_local_id(dataset_id))


def delete(reference: str) -> None:
    """Delete a dataset from the local store.

    Raises:
        DatasetNotFound: there is no such dataset.
    """
    LocalStore.from_environment().delete(_local_id(reference))


def import_dataset(
    source: str | Path, dataset_id: str | None = None, *, advance: Callable[[int], None] | None = None
) -> Dataset:
    """Bring any Minari dataset into the local store, in the layout that is mapped at once.

    Args:
        source: a directory that holds ``main_data.hdf5`` (or whose ``data`` does), or the id of a dataset that
            Minari keeps in the store; that one is converted where it is, unless ``dataset_id`` names another.
        dataset_id: a name other than its own.
        advance: called with 1 for each episode.

    Raises:
        DatasetNotFound: there is nothing of that name.
        DatasetExists: the store has a dataset of that id.
        FormatError: the source is damaged or unsafe.
    """
    store = LocalStore.from_environment()
    path = Path(source)
    is_path = path.is_dir() or str(source).startswith((".", "/", "~"))
    directory = _data_directory(path) if is_path else store.data_path(_local_id(str(source)))
    return store.adopt(directory, None if dataset_id is None else _local_id(dataset_id), advance=advance)


def repack(reference: str) -> Dataset:
    """Rewrite a dataset that was appended to, so that every column is one piece of the file again.

    Raises:
        DatasetNotFound: there is no such dataset.
        WriteError: it was changed meanwhile, or the disk is full; the dataset is as it was.
    """
    store, dataset_id = LocalStore.from_environment(), _local_id(reference)
    repack_dataset(store.root, dataset_id, store.cache)
    return store.open(dataset_id)


def unfinished() -> list[Unfinished]:
    """Return the recordings that were cut off, and those that are going on."""
    return commit.unfinished(LocalStore.from_environment().root)


def recover(spool: str | Path, dataset_id: str | None = None) -> Dataset:
    """Turn a recording that was cut off into its dataset; every whole episode is kept.

    Args:
        spool: its directory, or its name as :func:`unfinished` gives it.
        dataset_id: make a new dataset of this id instead, as where the intended one exists by now.

    Raises:
        WriteError: it is being written to, or holds no whole episode.
        DatasetExists: there is a dataset of its id by now.
        FormatError: there is no such spool.
    """
    new_id = None if dataset_id is None else _local_id(dataset_id)
    return open_directory(commit.recover(_spool(spool), dataset_id=new_id))


def discard(spool: str | Path) -> None:
    """Delete a recording that was cut off, with its episodes.

    Raises:
        WriteError: it is being written to.
        FormatError: there is no such spool.
    """
    commit.discard(_spool(spool))


def validate(
    reference: str | Path, *, adapters: bool = True, advance: Callable[[int], None] | None = None
) -> Report:
    """Check a dataset, see :func:`pytupli_registry.validation.validate`.

    Args:
        reference: a reference, or a directory as a :class:`~pathlib.Path`.
        adapters: whether to compare with what d3rlpy and Minari get, where their plugins are installed.
        advance: called with 1 after each episode.
    """
    if isinstance(reference, Path):
        directory = _data_directory(reference)
    else:
        directory = LocalStore.from_environment().data_path(_local_id(reference))
    return validate_directory(directory, adapters=adapters, advance=advance)


def _open_local(reference: Reference) -> Dataset | None:
    """Open a dataset of the local store; None where the Hub is to be asked."""
    if reference.scheme == "hf" or reference.revision is not None:
        return None
    store = LocalStore.from_environment()
    is_here = store.directory_for(reference.dataset_id).is_dir()
    # What has too few parts to name a repository can only be here.
    if reference.scheme == "local" or is_here or len(reference.namespace) < 2:
        return store.open(reference.dataset_id)
    return None


def _open_remote(reference: Reference, advance: Callable[[int], None] | None) -> Dataset:
    # Imported when needed: the Hub's client takes longer to import than a local dataset to open.
    from pytupli_registry.hub.snapshots import Hub  # noqa: PLC0415
    from pytupli_registry.remote.opening import open_dataset as open_remote_dataset  # noqa: PLC0415

    hub = Hub()
    try:
        return open_remote_dataset(reference, hub, advance=advance)
    except (RepositoryNotFound, HubUnreachable) as error:
        if reference.scheme == "hf" or reference.revision is not None or isinstance(error, NotCached):
            raise
        store = LocalStore.from_environment()
        raise DatasetNotFound(
            reference.dataset_id,
            f"{store.root}, nor on {hub.endpoint}: {error.message.rstrip('.')}",
            hint=did_you_mean(reference.dataset_id, [found.dataset_id for found in store.list()])
            or error.hint,
        ) from error


def _local_id(text: str) -> str:
    reference = Reference.parse_dataset(text)
    if reference.scheme == "hf" or reference.revision is not None or reference.view is not None:
        raise InvalidReference(
            text,
            "this works on whole datasets of the local store only",
            hint=f"Use {reference.dataset_id!r}.",
        )
    return reference.dataset_id


def _spool(given: str | Path) -> Path:
    name = Path(given)
    alone = len(name.parts) == 1 and name.parts[0] != ".."
    return spool_root(LocalStore.from_environment().root) / name if alone else name


def _data_directory(path: Path) -> Path:
    for directory in (path, path / "data"):
        if (directory / "main_data.hdf5").is_file():
            return directory
    raise DatasetNotFound(
        path.name, str(path.parent), hint="Give a dataset's directory, or the `data` directory in it."
    )
