"""The card of a catalog's benchmark: text written by hand, and parts between markers that are made from the data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.scores import normalised_score
from pytupli_registry.catalog.baseline_results import BASELINES, baseline_table, read_baselines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import gymnasium

    from pytupli_registry.benchmarks.benchmark import Benchmark
    from pytupli_registry.catalog.catalog import CatalogEntry

__all__ = ["CARD", "card_of", "filled"]

CARD = "README.md"

_SHOWN_SPACE = 100


def card_of(bench: Benchmark, found: CatalogEntry) -> str:
    """Return the card of a benchmark that was built: the recipe's own, with its generated parts made anew."""
    path = found.directory / CARD
    recipe = found.recipe
    text = (
        path.read_text(encoding="utf-8")
        if path.is_file()
        else f"# {recipe.title}\n\n{recipe.description.strip()}\n"
    )
    text = filled(text, "facts", "\n".join(_facts(bench, found)))
    results = read_baselines(found.directory / BASELINES)
    return text if results is None else filled(text, "baselines", baseline_table(results))


def filled(text: str, part: str, content: str) -> str:
    """Return a card with what stands between a part's markers replaced; a part that is not there is appended."""
    begin, end = f"<!-- generated: {part} -->", f"<!-- end: {part} -->"
    made = f"{begin}\n{content.strip()}\n{end}"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if pattern.search(text):
        return pattern.sub(lambda _: made, text, count=1)
    return f"{text.rstrip()}\n\n{made}\n"


def _facts(bench: Benchmark, found: CatalogEntry) -> Iterator[str]:
    specification, recipe = bench.specification, found.recipe
    environment = specification.environment
    yield from _table(
        ("", ""),
        [
            ("environment", f"`{environment.id}`"),
            ("observations", _space(bench.observation_space)),
            ("actions", _space(bench.action_space)),
            (
                "time limit",
                f"{environment.max_episode_steps:,} steps" if environment.max_episode_steps else "none",
            ),
            ("difficulty", specification.difficulty),
            (
                "install",
                f"`pip install 'pytupli-registry[{recipe.extra}]'`" if recipe.extra else "nothing more",
            ),
            ("licence", specification.licence),
            ("source", specification.source),
            ("citation", specification.citation),
        ],
    )
    yield "\n### Reference scores\n"
    yield from _references(bench)
    yield "\n### Datasets\n"
    yield from _datasets(bench, recipe.datasets)
    yield "\n```python"
    yield "import pytupli_d3rlpy\n"
    yield f"dataset, env = pytupli_d3rlpy.load({_arguments(bench)})"
    yield "```"


def _references(bench: Benchmark) -> Iterator[str]:
    scores = bench.specification.reference_scores
    yield from _table(
        ("policy", "mean return", "std", "episodes", "what it is"),
        [
            (name, f"{score.mean:.2f}", f"{score.std:.2f}", f"{score.episodes}", score.source)
            for name, score in scores.items()
        ],
    )


def _datasets(bench: Benchmark, ordered: Iterable[str]) -> Iterator[str]:
    names = [name for name in ordered if name in bench.dataset_names]
    yield from _table(
        ("dataset", "episodes", "steps", "mean return", "score", "MB", "what it holds"),
        [_dataset(bench, name) for name in names],
    )


def _dataset(bench: Benchmark, name: str) -> tuple[str, ...]:
    entry, scores = bench.specification.datasets[name], bench.specification.reference_scores
    returns = bench.dataset(name).describe().returns
    score = "–"
    if scores.keys() >= {"random", "expert"}:
        score = f"{normalised_score(returns.mean, scores['random'].mean, scores['expert'].mean):.0f}"
    sizes = f"{entry.episodes:,}", f"{entry.steps:,}"
    return (
        f"`{bench.name}/{name}`",
        *sizes,
        f"{returns.mean:.2f}",
        score,
        f"{entry.size / 1e6:.1f}",
        entry.description,
    )


def _arguments(bench: Benchmark) -> str:
    names = bench.dataset_names or ("name-v0",)
    shown = "mixed-v0" if "mixed-v0" in names else names[0]
    option = ', discrete_observation="one_hot"' if _is_discrete(bench.observation_space) else ""
    return f'"{bench.name}/{shown}"{option}'


def _is_discrete(space: gymnasium.Space[Any]) -> bool:
    return type(space).__name__ == "Discrete"


def _space(space: gymnasium.Space[Any]) -> str:
    said = str(space)
    if len(said) > _SHOWN_SPACE:
        said = (
            f"{type(space).__name__}{space.shape}, {space.dtype}"
            if space.shape
            else f"{said[:_SHOWN_SPACE]}…"
        )
    return f"`{said}`"


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"| {' | '.join('---' for _ in headings)} |"
    for row in rows:
        yield f"| {' | '.join(str(cell or '').replace('|', '/').replace(chr(10), ' ') for cell in row)} |"
