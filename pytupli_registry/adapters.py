"""The adapters of the core: NumPy, D4RL's dictionary, pandas, PyTorch.

Each takes a dataset and gives its kept transitions, every one with its true successor, in another library's own
type. The library is imported when its adapter is called. Other distributions add adapters through the entry point
group ``pytupli_registry.adapters``, see :mod:`pytupli_registry.dataset.conversion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pytupli_registry.dataset.ahead import ReadAhead
from pytupli_registry.dataset.leaves import Tree, flatten
from pytupli_registry.dataset.transitions import Transitions, gather_transitions, transition_leaves
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import torch
    from numpy.typing import DTypeLike, NDArray

    from pytupli_registry.dataset.dataset import Dataset

__all__ = ["TorchTransitions", "to_d4rl", "to_numpy", "to_pandas", "to_torch"]

_MAX_COLUMNS = 10_000


def to_numpy(dataset: Dataset) -> dict[str, Any]:
    """Return the kept transitions as arrays.

    Returns:
        ``observations``, ``actions``, ``next_observations`` (arrays, or dicts and tuples of arrays as the space is;
        texts are arrays of str), ``rewards``, ``terminations``, ``truncations``, ``episode_ids`` and ``steps``.
        # (transition_count, …) each; of the dtype they are stored in
    """
    found = dataset.transitions()
    return {
        "observations": _map_leaves(np.asarray, found.observations),
        "actions": _map_leaves(np.asarray, found.actions),
        "rewards": found.rewards,
        "next_observations": _map_leaves(np.asarray, found.next_observations),
        "terminations": found.terminated,
        "truncations": found.truncated,
        "episode_ids": _episode_ids(dataset, found),
        "steps": found.steps,
    }


def to_d4rl(dataset: Dataset, *, dtype: DTypeLike = np.float32) -> dict[str, NDArray[Any]]:
    """Return the kept transitions as D4RL's ``qlearning_dataset`` does, and ``timeouts`` as its ``get_dataset``.

    Unlike D4RL, which drops the last transition of an episode that timed out, every transition is there: its next
    observation is the true one. ``timeouts`` is True on every row that the next row does not continue without being
    terminal: cut-off episodes, and the ends of runs that a step filter leaves.

    Args:
        dataset: with observations and actions that are one array each.
        dtype: of all floating-point arrays, D4RL's float32 by default. Integers stay as they are.

    Raises:
        AdapterError: observations or actions are nested or texts.
    """
    found = dataset.transitions()
    for name, tree in (("observations", found.observations), ("actions", found.actions)):
        if not isinstance(tree, np.ndarray):
            raise AdapterError(
                f"D4RL's dictionary has one array for {name}; those of {dataset.metadata.dataset_id!r} are "
                f"{'texts' if isinstance(tree, list) else 'nested'}.",
                hint="Use dataset.to('numpy'), which keeps the structure.",
            )
    arrays = {
        "observations": found.observations,
        "actions": found.actions,
        "next_observations": found.next_observations,
        "rewards": found.rewards,
    }
    return {
        **{name: _with_float_dtype(values, np.dtype(dtype)) for name, values in arrays.items()},
        "terminals": found.terminated,
        "timeouts": ~found.terminated & (found.truncated | _ends_run(found)),
    }


def to_pandas(dataset: Dataset, *, next_observations: bool = False) -> pd.DataFrame:
    """Return the kept transitions as a frame, one row each.

    Columns are ``episode_id``, ``step``, the components of observations and actions (``observation_0``,
    ``observation_1``, …; ``action`` where there is one scalar; ``observation/camera_0_3`` below a Dict), ``reward``,
    ``terminated`` and ``truncated``.

    Args:
        dataset: what to convert.
        next_observations: add the components of the true successors as ``next_observation…``.

    Raises:
        AdapterError: pandas is missing, or there would be more than 10,000 columns (images).
    """
    pandas = _pandas()
    _check_width(dataset)
    found = dataset.transitions()
    columns: dict[str, Any] = {
        "episode_id": _episode_ids(dataset, found),
        "step": found.steps,
        **_components(found.observations, "observation"),
        **_components(found.actions, "action"),
        "reward": found.rewards,
    }
    if next_observations:
        columns |= _components(found.next_observations, "next_observation")
    frame: pd.DataFrame = pandas.DataFrame(
        {**columns, "terminated": found.terminated, "truncated": found.truncated}
    )
    return frame


def to_torch(dataset: Dataset, *, dtype: torch.dtype | None = None) -> TorchTransitions:
    """Return a map-style ``torch.utils.data.Dataset`` over the kept transitions.

    Nothing is read before it is asked for, and the arrays are shared with ``dataset``; what comes out are copies.

    Args:
        dataset: what to convert.
        dtype: of all floating-point tensors, such as ``torch.float32``; None keeps the stored dtypes.

    Raises:
        AdapterError: PyTorch is missing.
    """
    torch = _torch()

    class _TorchTransitions(TorchTransitions, torch.utils.data.Dataset):  # type: ignore[name-defined,misc]  # torch is not here at import
        pass

    return _TorchTransitions(dataset, dtype)


class TorchTransitions:
    """The kept transitions of a dataset as tensors; :func:`to_torch` makes one that is a PyTorch ``Dataset``.

    An index gives one transition, a sequence of indices a batch of them as one dictionary: ``observations``,
    ``actions``, ``rewards``, ``next_observations``, ``terminations``, ``truncations``; texts stay lists of str. A
    ``DataLoader`` is fastest with ``sampler=BatchSampler(RandomSampler(transitions), 256, drop_last=False),
    batch_size=None``, which gathers a batch at a time; ``batch_size=256`` gives the same tensors.
    """

    def __init__(self, dataset: Dataset, dtype: torch.dtype | None = None) -> None:
        self.dataset = dataset
        self.dtype = dtype

    def __len__(self) -> int:
        return self.dataset.transition_count

    def __getitem__(self, index: int | Sequence[int] | NDArray[np.int64]) -> dict[str, Any]:
        if isinstance(index, int | np.integer):
            return cast("dict[str, Any]", _row(self._batch([int(index)]), 0))
        return self._batch(index)

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return several transitions, gathered at once; PyTorch's fetchers look for this method."""
        batch = self._batch(indices)
        return [_row(batch, number) for number in range(len(indices))]

    def __reduce__(self) -> tuple[Any, ...]:
        # The class of the object is made when PyTorch is at hand, so workers make it anew.
        return _torch_from_worker, (self.dataset, self.dtype)

    @cached_property
    def _rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.dataset.rows()

    @cached_property
    def _ahead(self) -> ReadAhead:
        dataset = self.dataset
        return ReadAhead(dataset.reader, transition_leaves(dataset.leaves), np.unique(self._rows[1]))

    def _batch(self, indices: Sequence[int] | NDArray[np.int64]) -> dict[str, Any]:
        chosen = np.asarray(indices, dtype=np.int64)
        if len(chosen) and not -len(self) <= chosen.min() <= chosen.max() < len(self):
            raise IndexError(
                f"there are {len(self)} transitions; {chosen.min()} … {chosen.max()} was asked for"
            )
        rows, owners = self._rows
        self._ahead.need(owners[chosen])
        found = gather_transitions(self.dataset.table, self.dataset.reader, rows[chosen], owners[chosen])
        named = {
            "observations": found.observations,
            "actions": found.actions,
            "rewards": found.rewards,
            "next_observations": found.next_observations,
            "terminations": found.terminated,
            "truncations": found.truncated,
        }
        return cast("dict[str, Any]", _map_leaves(self._tensor, named))

    def _tensor(self, values: Any) -> Any:  # noqa: ANN401 - a tensor, or texts as they are
        if not isinstance(values, np.ndarray):
            return values
        tensor = _torch().from_numpy(np.ascontiguousarray(values))
        return tensor.to(self.dtype) if self.dtype is not None and tensor.is_floating_point() else tensor


def _torch_from_worker(dataset: Dataset, dtype: torch.dtype | None) -> TorchTransitions:
    return to_torch(dataset, dtype=dtype)


def _torch() -> Any:  # noqa: ANN401 - a module
    try:
        import torch  # noqa: PLC0415 - only this adapter needs it
    except ImportError as error:
        raise _missing("torch") from error
    return torch


def _pandas() -> Any:  # noqa: ANN401 - a module
    try:
        import pandas as pd  # noqa: PLC0415 - only this adapter needs it
    except ImportError as error:
        raise _missing("pandas") from error
    return pd


def _missing(extra: str) -> AdapterError:
    return AdapterError(
        f"The adapter {extra!r} needs {extra}, which is not installed.",
        hint=f"pip install 'pytupli-registry[{extra}]'",
    )


def _map_leaves(function: Callable[[Any], Any], tree: Tree) -> Tree:
    if isinstance(tree, Mapping):
        return {key: _map_leaves(function, value) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_map_leaves(function, value) for value in tree)
    return function(tree)


def _row(tree: Tree, number: int) -> Tree:
    return _map_leaves(lambda values: values[number], tree)


def _with_float_dtype(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return values.astype(dtype, copy=False) if values.dtype.kind == "f" else values


def _episode_ids(dataset: Dataset, found: Transitions) -> NDArray[Any]:
    ids: NDArray[Any] = dataset.fields["episode_id"].values  # noqa: PD011 - no frame
    return ids[found.positions]


def _ends_run(found: Transitions) -> NDArray[np.bool_]:
    """Whether the next row is not the step that follows.  # (n,) bool"""  # noqa: D415 - the shape ends the line
    ends = np.ones(len(found), dtype=np.bool_)
    ends[:-1] = (np.diff(found.positions) != 0) | (np.diff(found.steps) != 1)
    return ends


def _check_width(dataset: Dataset) -> None:
    width = sum(
        int(np.prod(leaf.row_shape, dtype=object))
        for path, leaf in dataset.leaves.items()
        if path.split("/", 1)[0] in {"observations", "actions"}
    )
    if width > _MAX_COLUMNS:
        raise AdapterError(
            f"A step of {dataset.metadata.dataset_id!r} has {width} components, too many for columns of a frame.",
            hint="Use dataset.to('numpy') for images.",
        )


def _components(tree: Tree, name: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for path, values in flatten(tree, name).items():
        shape = np.shape(values)[1:]
        for index in np.ndindex(shape):
            columns["_".join([path, *map(str, index)])] = values[:, *index] if index else values
    return columns
