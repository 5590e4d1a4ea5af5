"""A benchmark for people to read: what ``show`` and ``init`` print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytupli_registry.benchmarks.benchmark import Benchmark
    from pytupli_registry.benchmarks.specification import BenchmarkSpecification
    from pytupli_registry.cli.output import Output
    from pytupli_registry.dataset.spaces import LeafSpace

    _Section = tuple[str, tuple[str, ...], list[tuple[object, ...]]]

__all__ = ["show_benchmark"]

_MAX_VALUE = 160
_MAX_LINES = 20


def show_benchmark(output: Output, benchmark: Benchmark) -> None:
    """Print everything that ``benchmark.json`` says, and which datasets are here."""
    specification = benchmark.specification
    output.facts(_facts(benchmark))
    for line in specification.description.splitlines()[:_MAX_LINES]:
        output.line(f"  {line}")
    datasets = ("Datasets", ("name", "episodes", "steps", "here", "description"), _datasets(benchmark))
    for title, headings, rows in (*_building(specification), *_results(specification), datasets):
        if rows:
            output.line("")
            output.line(f"{title}:")
            output.table(headings, rows)


def _building(specification: BenchmarkSpecification) -> Iterator[_Section]:
    """Yield what the environment is made of."""
    environment = specification.environment
    yield (
        "Arguments",
        ("name", "value"),
        [(name, _shown(value)) for name, value in environment.kwargs.items()],
    )
    yield (
        "Wrappers, from the inside out",
        ("entry point", "arguments"),
        [(wrapper.entry_point, _shown(wrapper.kwargs)) for wrapper in environment.wrappers],
    )
    yield (
        "Artifacts",
        ("name", "kind", "bytes", "SHA-256", "file"),
        [
            (name, entry.codec, entry.size, entry.sha256[:12], entry.file_name)
            for name, entry in specification.artifacts.items()
        ],
    )
    yield (
        "Requirements",
        ("requirement", "made with"),
        [(entry.requirement, entry.recorded) for entry in specification.requirements],
    )


def _results(specification: BenchmarkSpecification) -> Iterator[_Section]:
    """Yield what has been measured on it, and trained."""
    yield (
        "Reference scores",
        ("policy", "mean", "std", "episodes", "source"),
        [
            (name, score.mean, score.std, score.episodes, score.source)
            for name, score in specification.reference_scores.items()
        ],
    )
    yield (
        "Policies",
        ("name", "format", "algorithm", "dataset", "score"),
        [
            (name, policy.format, policy.algorithm, policy.dataset, policy.score)
            for name, policy in specification.policies.items()
        ],
    )


def _facts(benchmark: Benchmark) -> dict[str, object]:
    specification = benchmark.specification
    environment, protocol = specification.environment, specification.evaluation
    rollouts = specification.rollouts
    facts: dict[str, object] = {
        "benchmark": specification.name,
        "title": specification.title,
        "version": specification.version,
        "difficulty": specification.difficulty,
        "identity": benchmark.identity,
        "directory": benchmark.directory,
        "environment": environment.id,
        "entry point": environment.entry_point or "not shared: its owner shares the interface only",
        "time limit": environment.max_episode_steps,
        "observations": _space(environment.observation_space),
        "actions": _space(environment.action_space),
        "evaluation": f"{protocol.episodes} episodes with the seeds {protocol.seed} to {protocol.seeds[-1]}, "
        f"discount {protocol.discount}",
        "rollouts": None if rollouts is None else f"{rollouts.episodes}, {_versions(specification)}",
        **_optional(specification),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _optional(specification: BenchmarkSpecification) -> dict[str, object]:
    return {
        "tags": ", ".join(specification.tags),
        "licence": specification.licence,
        "authors": ", ".join(specification.authors),
        "citation": " ".join(specification.citation.split()),
        "source": specification.source,
        "metadata": _shown(specification.metadata) if specification.metadata else None,
    }


def _versions(specification: BenchmarkSpecification) -> str:
    told = specification.rollouts.recorded_with if specification.rollouts is not None else {}
    return "recorded with " + ", ".join(f"{name} {version}" for name, version in told.items())


def _datasets(benchmark: Benchmark) -> list[tuple[object, ...]]:
    listed, here = benchmark.specification.datasets, benchmark.dataset_names
    rows: list[tuple[object, ...]] = [
        (name, entry.episodes, entry.steps, name in here, entry.description) for name, entry in listed.items()
    ]
    return [*rows, *((name, None, None, True, "not listed") for name in here if name not in listed)]


def _space(description: Mapping[str, Any]) -> str:
    """Tell a space in a line, from its description: nothing of the size that it claims is made."""
    from pytupli_registry.benchmarks.spaces import expanded  # noqa: PLC0415 - lazy, for a fast `--help`
    from pytupli_registry.dataset.spaces import leaf_spaces  # noqa: PLC0415

    leaves = leaf_spaces(expanded(description), "")
    return _cut("; ".join(f"{path.lstrip('/')} {_leaf(leaf)}".strip() for path, leaf in leaves.items()))


def _leaf(leaf: LeafSpace) -> str:
    described, shape = leaf.description, " × ".join(map(str, leaf.shape))
    match leaf.kind:
        case "Box":
            low, high = (_extreme(described[bound], pick) for bound, pick in (("low", min), ("high", max)))
            return f"Box of {leaf.dtype} {shape or 'alone'}, {low} to {high}"
        case "Discrete":
            start = int(described.get("start") or 0)
            return f"Discrete, {start} to {start + int(described['n']) - 1}"
        case "Text":
            return f"Text of up to {described['max_length']} characters"
        case _:
            return f"{leaf.kind} {shape}"


def _extreme(bound: Any, pick: Callable[[Iterable[float]], float]) -> str:  # noqa: ANN401 - a number, or nested lists
    values = list(_numbers(bound))
    return f"{pick(values):.6g}" if values else "-"


def _numbers(bound: Any) -> Iterator[float]:  # noqa: ANN401 - likewise
    if isinstance(bound, list):
        for part in bound:
            yield from _numbers(part)
    else:
        yield float(bound)


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 1]}…"
