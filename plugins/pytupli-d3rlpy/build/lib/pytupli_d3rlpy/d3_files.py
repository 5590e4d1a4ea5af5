"""``.d3`` files, d3rlpy's own format, read without running anything that is in them.

``d3rlpy.load_learnable`` unpickles the file, and whoever wrote it decides what runs. Here the pickle is read as the
three values that d3rlpy writes (:mod:`pytupli_d3rlpy.plain_pickle`), the weights as tensors
(:mod:`pytupli_d3rlpy.weights`), and the configuration as JSON: d3rlpy looks the names in it up in its registry of
classes, and neither imports nor evaluates them. Networks are built only once their shapes, worked out without
memory for them, are those of the weights.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import d3rlpy
import torch
from d3rlpy.algos import StatefulTransformerWrapper, TransformerAlgoBase
from d3rlpy.base import LearnableConfigWithShape

from pytupli_d3rlpy.plain_pickle import ForbiddenOperationError, read_plain_pickle
from pytupli_d3rlpy.weights import read_weights, tensors_in
from pytupli_registry.errors import AdapterError, ArtifactError, FormatError, UnsafeFile, UnsupportedFormat

if TYPE_CHECKING:
    from pytupli_d3rlpy.acting import Learnt

__all__ = ["MAX_BYTES", "read_d3", "write_d3"]

MAX_BYTES = 1 << 30
_MAX_CONFIG = 32 << 20  # scalers have two numbers a pixel
_MAX_DEPTH = 32
_MAX_OPERATIONS = 1000
_MAX_COUNT = 100_000  # of samples and quantiles, which no weight bounds
_MAX_LAYERS = 1_000  # in a list of them, which takes d3rlpy long to read
_CALLS_A_TENSOR, _CALLS_AT_LEAST = 100, 2_000  # d3rlpy's own algorithms make 16 a tensor
_EXTRA = "pytupli"


@dataclass(frozen=True)
class _Parts:
    """What a file says.

    Attributes:
        config: JSON of the algorithm, and the shapes it was built for.
        torch: the weights, as ``torch.save`` wrote them.
        version: of d3rlpy.
        extra: JSON of what d3rlpy does not keep; d3rlpy itself ignores it.
    """

    config: str
    torch: bytes
    version: str
    extra: str


def read_d3(path: Path | str, device: str = "cpu:0", *, max_bytes: int = MAX_BYTES) -> Learnt:
    """Read an algorithm that d3rlpy saved, whoever wrote the file.

    The algorithm predicts what ``d3rlpy.load_learnable(path)`` would, bit by bit, and can be trained further. What
    is checked: the file is plain values; the weights are tensors of the bytes that are there; the networks that
    the configuration describes have the shapes of these weights.

    Args:
        path: the file.
        device: where the networks go, in torch's words.
        max_bytes: a larger file is refused.

    Returns:
        The algorithm; a transformer that was saved with its target return comes back as its stateful wrapper.

    Raises:
        UnsafeFile: the file asks for more than that.
        UnsupportedFormat: it is of another major version of d3rlpy. Another minor version is a warning.
        FormatError: it is no such file, or a broken one, or its parts do not belong together.
        ArtifactError: it cannot be read from disk.
    """
    path = Path(path)
    try:
        return _read(path, device, max_bytes)
    except ForbiddenOperationError as error:
        raise UnsafeFile(path, str(error), hint="d3rlpy writes no such file: do not trust it.") from error
    except RecursionError as error:
        raise UnsafeFile(path, "its configuration is nested without end") from error
    except ValueError as error:
        raise FormatError(path, str(error), hint="Save it again with algo.save(path).") from error


def _read(path: Path, device: str, max_bytes: int) -> Learnt:
    parts = _parts(_content(path, max_bytes))
    _check_version(path, parts.version)
    config = _json_object(parts.config)
    _check_config(config)
    states = read_weights(parts.torch)
    _check_shapes(parts.config, states)
    algo = _build(parts.config, device)
    _fill(algo, states)
    return _with_target(algo, _json_object(parts.extra))


def _content(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise ArtifactError(f"The policy {path} cannot be read: {error!s:.200}.") from error
    if len(content) > max_bytes:
        raise ForbiddenOperationError(f"it is larger than {max_bytes} bytes")
    return content


def _parts(content: bytes) -> _Parts:
    said = read_plain_pickle(content, max_operations=_MAX_OPERATIONS)
    kinds = {"config": str, "torch": bytes, "version": str}
    if not isinstance(said, dict) or not all(
        isinstance(said.get(name), kind) for name, kind in kinds.items()
    ):
        raise ValueError("it is no file of d3rlpy, which has a configuration, weights and a version")
    extra = said.get(_EXTRA, "{}")
    if not isinstance(extra, str) or said.keys() - kinds - {_EXTRA}:
        raise ValueError("it has parts that d3rlpy does not write")
    return _Parts(said["config"], said["torch"], said["version"], extra)


def _check_version(path: Path, version: str) -> None:
    """Warn about another version than the one installed; refuse another major one."""
    here = d3rlpy.__version__
    if version == here:
        return
    major = re.fullmatch(r"(\d{1,4})\.[0-9A-Za-z.+-]{1,40}", version)
    if major is None or major[1] != here.partition(".")[0]:
        raise UnsupportedFormat(
            path,
            f"it was written by d3rlpy {version!r:.60}, and {here} is installed",
            hint="Install the d3rlpy that wrote it, or train it again.",
        )
    warnings.warn(
        f"{path.name} was written by d3rlpy {version}, and {here} is installed: compare what it predicts.",
        stacklevel=4,
    )


def _json_object(text: str) -> dict[str, Any]:
    if len(text) > _MAX_CONFIG:
        raise ForbiddenOperationError("its configuration is larger than one could be")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("its configuration is no JSON object")  # noqa: TRY004 - the file is wrong, not a call
    return found


def _check_config(config: dict[str, Any]) -> None:
    """Check how deep it is, and the numbers that weights do not bound."""
    sizes = [*_sizes(config.get("observation_shape")), config.get("action_size")]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError("its configuration has no shapes of observations and actions")
    waiting: list[tuple[Any, int]] = [(config, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise ForbiddenOperationError("its configuration is nested deeper than one could be")
        if isinstance(value, dict):
            _check_counts(value)
        if isinstance(value, (dict, list)):
            parts = value.values() if isinstance(value, dict) else value
            waiting.extend((part, depth + 1) for part in parts if isinstance(part, (dict, list)))


def _check_counts(values: dict[str, Any]) -> None:
    for name, count in values.items():
        if name.startswith("n_") and isinstance(count, (int, float)) and not count <= _MAX_COUNT:
            raise ForbiddenOperationError(f"its configuration asks for {name[:40]!r} of {count!s:.20}")
        if name in {"hidden_units", "filters"} and isinstance(count, list) and len(count) > _MAX_LAYERS:
            raise ForbiddenOperationError(f"its configuration asks for a network of {len(count)} layers")


def _sizes(shape: Any) -> list[Any]:  # noqa: ANN401 - as the file has it
    """Return the numbers of a shape, or of several."""
    if not isinstance(shape, list) or not shape:
        return [None]
    return [size for part in shape for size in (part if isinstance(part, list) else [part])]


class _Bounded(torch.overrides.TorchFunctionMode):
    """Stops a configuration that makes more layers than there are weights for."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._left = calls

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - torch's signature
        self._left -= 1
        if self._left < 0:
            raise ForbiddenOperationError("its configuration describes more layers than it has weights for")
        return function(*args, **(kwargs or {}))


def _check_shapes(config: str, states: dict[str, Any]) -> None:
    """Check that the networks described are those that the weights are of; none of them is allocated."""
    count = sum(1 for _ in tensors_in(states))
    with torch.device("meta"), _Bounded(_CALLS_AT_LEAST + _CALLS_A_TENSOR * count):
        described = _networks(_build(config, "meta"))
    if described.keys() - states.keys():
        raise ValueError("its weights are not those of the algorithm that its configuration describes")
    for name, network in described.items():
        there = {key: _shape(value) for key, value in _entries(states[name]).items()}
        wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        if wanted != there:
            differs = min(key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key))
            raise ValueError(
                f"its configuration and its weights differ: {name}.{differs:.80} should have the shape "
                f"{wanted.get(differs)}, and has {there.get(differs)}"
            )


def _networks(algo: Any) -> dict[str, torch.nn.Module]:  # noqa: ANN401 - d3rlpy ships no types
    networks: dict[str, torch.nn.Module] = algo.impl.modules.get_torch_modules()
    return networks


def _entries(state: Any) -> dict[str, Any]:  # noqa: ANN401
    return {str(key): value for key, value in state.items()} if isinstance(state, dict) else {}


def _shape(value: Any) -> tuple[int, ...] | None:  # noqa: ANN401
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _build(config: str, device: str) -> Any:  # noqa: ANN401
    try:
        return LearnableConfigWithShape.deserialize(config).create(device)
    except ForbiddenOperationError:
        raise
    except Exception as error:  # d3rlpy's constructors, given values that nobody checked
        raise ValueError(
            f"d3rlpy cannot build what its configuration describes ({type(error).__name__}: {error!s:.200})"
        ) from error


def _fill(algo: Any, states: dict[str, Any]) -> None:  # noqa: ANN401
    """Load the weights through d3rlpy, from bytes that were written here."""
    checked = io.BytesIO()
    torch.save(states, checked)
    checked.seek(0)
    try:
        algo.impl.load_model(checked)
    except Exception as error:  # optimizers, given states that nobody checked
        raise ValueError(
            f"its weights do not fit its configuration ({type(error).__name__}: {error!s:.200})"
        ) from error


def _with_target(algo: Any, extra: dict[str, Any]) -> Any:  # noqa: ANN401
    target = extra.get("target_return")
    if target is None:
        return algo
    if (
        not isinstance(algo, TransformerAlgoBase)
        or not isinstance(target, (int, float))
        or not math.isfinite(target)
    ):
        raise ValueError("it has a target return that is no number, or not of a transformer")
    return algo.as_stateful_wrapper(target_return=float(target))


def write_d3(algo: Learnt, path: Path | str) -> None:
    """Write an algorithm as d3rlpy does; a stateful wrapper with its target return, which d3rlpy ignores.

    Raises:
        AdapterError: it has no network yet.
        ArtifactError: it cannot be written.
    """
    path = Path(path)
    is_wrapper = isinstance(algo, StatefulTransformerWrapper)
    core = algo.algo if is_wrapper else algo
    if core.impl is None:
        raise AdapterError(f"This {type(core).__name__} has no network yet.", hint="Train it first.")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pytupli-") as private:
            partial = Path(private) / "policy.d3"
            core.save(str(partial))
            if is_wrapper:
                _add_target(partial, algo._target_return)  # noqa: SLF001 - d3rlpy has no public name for it
            partial.replace(path)
    except OSError as error:
        raise ArtifactError(f"The policy cannot be written to {path}: {error!s:.200}.") from error


def _add_target(path: Path, target: float) -> None:
    parts = _parts(path.read_bytes())
    extra = json.dumps({"target_return": float(target)})
    with path.open("wb") as file:
        pickle.dump(
            {"torch": parts.torch, "config": parts.config, "version": parts.version, _EXTRA: extra}, file
        )
