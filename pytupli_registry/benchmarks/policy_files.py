"""Trained policies as files that a benchmark keeps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.facts import checked
from pytupli_registry.benchmarks.policies import RANDOM, as_policy, policy_formats, save_policy
from pytupli_registry.benchmarks.spaces import space_of
from pytupli_registry.benchmarks.specification import PolicyEntry
from pytupli_registry.errors import AdapterError, ArtifactError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
    from pytupli_registry.benchmarks.specification import ArtifactEntry, BenchmarkSpecification

__all__ = ["POLICY", "PolicyFile", "free_name", "kept_policy", "policy_entry", "with_policy_file"]

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


def policy_entry(specification: BenchmarkSpecification, name: str) -> PolicyEntry:
    """Return what ``benchmark.json`` says of a policy.

    Raises:
        ArtifactError: there is none of that name.
    """
    known = specification.policies
    if name not in known:
        raise ArtifactError(
            f"The benchmark {specification.name!r} has no policy {name!r:.100}.",
            hint=did_you_mean(name, (*known, RANDOM)) or f"It has: {', '.join(known) or 'none'}.",
        )
    return known[name]


def with_policy_file(
    specification: BenchmarkSpecification,
    policy: Any,  # noqa: ANN401 - a path, or an algorithm
    name: str,
    facts: Mapping[str, Any],
    spool: ArtifactSpool,
) -> dict[str, Any]:
    """Return the policies and artifacts of a benchmark that has one policy more, or another one of that name.

    Args:
        specification: of the benchmark as it is.
        policy: as :func:`kept_policy` takes it.
        name: of the policy.
        facts: the other fields of its entry.
        spool: takes its file.

    Raises:
        AdapterError: as :func:`kept_policy`; or the algorithm cannot act in this environment.
        ArtifactError: the file cannot be kept, or a fact is not what it has to be.
    """
    if not isinstance(policy, str | os.PathLike):  # what cannot act here is no policy of it
        environment = specification.environment
        as_policy(policy, space_of(environment.observation_space), space_of(environment.action_space))
    kept = kept_policy(policy, name, spool)
    others = {other: entry for other, entry in specification.policies.items() if other != name}
    replaced = {entry.artifact for entry in specification.policies.values()}
    needed = {*specification.needed_artifacts(), *(entry.artifact for entry in others.values())}
    artifacts = {
        found: entry
        for found, entry in specification.artifacts.items()
        if found in needed or found not in replaced
    }
    artifact = free_name(kept.artifact, spool.entries[kept.artifact], artifacts)
    artifacts[artifact] = spool.entries[kept.artifact]
    entry = checked(PolicyEntry, {**facts, "artifact": artifact, "format": kept.format}, "a policy's entry")
    return {"policies": {**others, name: entry}, "artifacts": artifacts}


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
