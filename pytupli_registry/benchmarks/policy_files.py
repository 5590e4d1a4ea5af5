"""Trained policies as files that a benchmark keeps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.policies import policy_formats, save_policy
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
    from pytupli_registry.benchmarks.specification import ArtifactEntry

__all__ = ["POLICY", "PolicyFile", "free_name", "kept_policy"]

POLICY = "policy"
_DEFAULT_SUFFIX = ".d3"
_SUFFIXES = {".d3": "d3", ".pt": "torchscript", ".onnx": "onnx"}


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy that was put into a spool.

    Attributes:
        artifact: the name of its artifact.
        format: of its file.
    """

    artifact: str
    format: str


def kept_policy(policy: Any, name: str, spool: ArtifactSpool) -> PolicyFile:  # noqa: ANN401 - a path, or an algorithm
    """Put a policy into the spool: a file as it is, anything else in the plugin's own format.

    Raises:
        AdapterError: nothing installed knows the format of the file, or how to write the algorithm.
    """
    if isinstance(policy, str | os.PathLike):
        path = Path(policy)
        kind = _format_of(path)
    else:
        path = spool.scratch(f"{name}{_DEFAULT_SUFFIX}")
        kind = save_policy(policy, path)
    return PolicyFile(spool.add_file(path, name, POLICY), kind)


def free_name(wanted: str, entry: ArtifactEntry, taken: Mapping[str, ArtifactEntry]) -> str:
    """Return the name under which an artifact is listed beside others: the same content keeps its name."""
    name, number = wanted, 1
    while name in taken and taken[name] != entry:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _format_of(path: Path) -> str:
    for plugin in policy_formats().values():
        for name, suffix in plugin.suffixes.items():
            if suffix == path.suffix:
                return name
    if path.suffix in _SUFFIXES:  # to keep a file, what reads it need not be installed
        return _SUFFIXES[path.suffix]
    raise AdapterError(
        f"Nothing installed knows policies in files that end in {path.suffix!r}.",
        hint="d3rlpy's are .d3, exported ones .pt (TorchScript) or .onnx.",
    )
