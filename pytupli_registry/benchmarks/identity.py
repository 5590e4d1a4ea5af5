"""What makes two benchmarks the same: the environment they build, and how policies are scored on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.building import CODE
from pytupli_registry.benchmarks.canonical import digest

if TYPE_CHECKING:
    from pytupli_registry.benchmarks.specification import BenchmarkSpecification

__all__ = ["identity_of"]

_IDENTITY_VERSION = 1


def identity_of(specification: BenchmarkSpecification) -> str:
    """Return the identity of a benchmark, a SHA-256 in hexadecimal.

    It covers what decides a policy's score: entry point, code that is shipped, arguments (files by their content),
    wrappers, limits, spaces and the evaluation protocol. It does not cover what is told about it (name, texts, authors, scores, datasets,
    policies) nor where it was made (versions, file names): the same benchmark has the same identity everywhere. Where
    the implementation is not shared, the name counts too.
    """
    environment = specification.environment.model_dump(mode="json", exclude={"reward_threshold"})
    covered = {
        "identity_version": _IDENTITY_VERSION,
        "environment": _with_content(environment, specification),
        "evaluation": specification.evaluation.model_dump(mode="json"),
    }
    code = {entry.sha256 for entry in specification.artifacts.values() if entry.codec == CODE}
    if code:  # what is built is what these modules say
        covered["code"] = sorted(code)
    if (
        specification.data_only
    ):  # there is nothing but the name to tell two interfaces of the same shape apart
        covered["name"] = specification.name
    return digest(covered)


def _with_content(value: Any, specification: BenchmarkSpecification) -> Any:  # noqa: ANN401 - any part of the JSON
    if isinstance(value, list):
        return [_with_content(part, specification) for part in value]
    if not isinstance(value, dict):
        return value
    name = value.get("$artifact")
    if len(value) == 1 and isinstance(name, str) and name in specification.artifacts:
        entry = specification.artifacts[name]
        return {"$artifact": {"sha256": entry.sha256, "codec": entry.codec, "details": dict(entry.details)}}
    return {key: _with_content(part, specification) for key, part in value.items()}
