"""Policies exported from d3rlpy: the greedy action as a TorchScript archive or an ONNX graph, without d3rlpy.

Both are traced with one observation, and nothing promises that the trace holds for several: lanes are predicted one
by one.
"""

from __future__ import annotations

import importlib
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from d3rlpy.algos import QLearningAlgoBase

from pytupli_d3rlpy.acting import acting, draws_numbers, fitting_rule, zeros
from pytupli_d3rlpy.actions import ActionRule
from pytupli_registry.errors import AdapterError, ArtifactError, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    import gymnasium
    from numpy.typing import NDArray

    from pytupli_d3rlpy.acting import Learnt, ObservationChoices, Predicts
    from pytupli_d3rlpy.observations import ObservationRule
    from pytupli_registry.benchmarks.policies import Policy

__all__ = ["export", "load_onnx", "load_torchscript"]


def export(algo: Learnt, path: Path) -> None:
    """Write the greedy policy of a trained algorithm as ``.pt`` (TorchScript) or ``.onnx``.

    Raises:
        AdapterError: it has no network yet, cannot be exported, or ``onnx`` is not installed.
        ArtifactError: it cannot be written.
    """
    if not isinstance(algo, QLearningAlgoBase) or algo.impl is None:
        raise AdapterError(
            f"A {type(algo).__name__} cannot be exported: it is untrained, or acts by its history.",
            hint="Save it as .d3 once it is trained.",
        )
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pytupli-") as private:
            partial = Path(private) / f"policy{path.suffix}"
            _export(algo, partial)
            partial.replace(path)
    except OSError as error:
        raise ArtifactError(f"The policy cannot be written to {path}: {error!s:.200}.") from error


def _export(algo: Any, path: Path) -> None:  # noqa: ANN401 - d3rlpy ships no types
    with warnings.catch_warnings():
        # torch.jit and the exporter of traces are deprecated; tracing warns of each branch on a shape.
        warnings.simplefilter("ignore")
        if path.suffix == ".pt":
            algo.save_policy(str(path))
        else:
            _export_onnx(algo, path)


def _export_onnx(algo: Any, path: Path) -> None:  # noqa: ANN401
    """Export as d3rlpy does, whose own call fails from torch 2.9 on: its default exporter takes no traced function."""
    _imported("onnx")
    observations = tuple(map(torch.from_numpy, zeros(algo.observation_shape)))
    if draws_numbers(algo.predict, zeros(algo.observation_shape)):
        raise AdapterError(
            f"{type(algo).__name__} draws random numbers to act, which an ONNX graph cannot seed.",
            hint="Save it as .d3.",
        )
    algo.impl.modules.freeze()
    try:
        torch.onnx.export(
            _Greedy(algo),
            observations,
            str(path),
            input_names=[f"input_{number}" for number in range(len(observations))],
            output_names=["output_0"],
            dynamo=False,
        )
    finally:
        algo.impl.modules.unfreeze()


class _Greedy(torch.nn.Module):
    """Observation to greedy action, scalers included, as ``algo.predict`` computes it."""

    def __init__(self, algo: Any) -> None:  # noqa: ANN401
        super().__init__()
        self._algo = algo

    def forward(self, *observations: torch.Tensor) -> torch.Tensor:
        config = self._algo.config
        seen: Any = observations if len(observations) > 1 else observations[0]
        if config.observation_scaler:
            seen = config.observation_scaler.transform(seen)
        action: torch.Tensor = self._algo.impl.predict_best_action(seen)
        return config.action_scaler.reverse_transform(action) if config.action_scaler else action


def load_torchscript(
    path: Path,
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    said: ObservationChoices | None = None,
) -> Policy:
    """Load and act with a TorchScript archive. It is code: ask for consent before.

    Raises:
        FormatError: it is no such archive.
        AdapterError: it takes other observations, or gives other actions.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is; d3rlpy exports nothing else
        try:
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]  # torch's own gap
        except (RuntimeError, ValueError) as error:
            raise FormatError(path, "it is no TorchScript archive", hint="Export it again.") from error
    module.eval()

    def predict(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        with torch.no_grad():
            found: NDArray[Any] = module(*map(torch.from_numpy, arrays)).numpy()
        return found

    return _policy(predict, observation_space, action_space, said or {})


def load_onnx(
    path: Path,
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    said: ObservationChoices | None = None,
) -> Policy:
    """Load and act with an ONNX graph, through ``onnxruntime`` on one CPU thread.

    Raises:
        FormatError: it is no such graph.
        AdapterError: it takes other observations or gives other actions, or ``onnxruntime`` is not installed.
    """
    runtime = _imported("onnxruntime")
    errors: tuple[type[Exception], ...] = (RuntimeError, ValueError, *_runtime_errors(runtime))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except errors as error:
        raise FormatError(
            path, "it is no ONNX graph that can be run here", hint="Export it again."
        ) from error
    names = [entry.name for entry in session.get_inputs()]

    def predict(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        if len(arrays) != len(names):
            raise ValueError(f"it takes {len(names)} arrays")
        return np.asarray(session.run(None, dict(zip(names, arrays, strict=True)))[0])

    return _policy(predict, observation_space, action_space, said or {}, errors)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise AdapterError(
            f"ONNX policies need {name}, which is not installed.",
            hint="pip install 'pytupli-d3rlpy[onnx]'",
        ) from error


def _runtime_errors(runtime: ModuleType) -> tuple[type[Exception], ...]:
    """Return the exceptions of ``onnxruntime``, which share no base of their own."""
    found = vars(runtime.capi.onnxruntime_pybind11_state).values()
    return tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))


def _policy(
    predict: Callable[[Sequence[NDArray[Any]]], NDArray[Any]],
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    said: ObservationChoices,
    errors: tuple[type[Exception], ...] = (RuntimeError, ValueError),
) -> Policy:
    """Return the policy that sees what the exported network takes, which is found by trying."""
    actions = ActionRule.of(action_space)
    shape = () if actions.is_discrete else (actions.size,)

    def fits(rule: ObservationRule) -> bool:
        try:
            return predict(zeros(rule.shape)).shape == (1, *shape)
        except errors:  # what torch and onnxruntime say to another shape
            return False

    rule = fitting_rule(observation_space, said, fits, "what it was exported with")
    return acting(_one_by_one(predict), rule, actions)


def _one_by_one(predict: Callable[[Sequence[NDArray[Any]]], NDArray[Any]]) -> Predicts:
    def predict_all(observations: Any) -> NDArray[Any]:  # noqa: ANN401 - an array, or a tuple of them
        arrays = observations if isinstance(observations, tuple) else (observations,)
        rows = [np.ascontiguousarray(array, dtype=np.float32) for array in arrays]
        return np.concatenate([predict([part[n : n + 1] for part in rows]) for n in range(len(rows[0]))])

    return predict_all
