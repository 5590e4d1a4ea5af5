"""The card of a published repository: what people wrote stays, the parts between markers are made from the data."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.benchmarks.scores import normalised_score
from pytupli_registry.benchmarks.spaces import expanded
from pytupli_registry.catalog.card import filled
from pytupli_registry.errors import PytupliError
from pytupli_registry.publishing.front_matter import merged, split
from pytupli_registry.publishing.histogram import histogram
from pytupli_registry.publishing.licences import licence_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytupli_registry.benchmarks.specification import BenchmarkSpecification
    from pytupli_registry.publishing.local import LocalDataset
    from pytupli_registry.publishing.provenance import Provenance, Step

__all__ = ["CARD", "CardFacts", "choose_text", "hand_digest", "made_card"]

CARD = "README.md"
LARGEST = 4 << 20

_OURS = r"(?:facts|scores|provenance|dataset [^\s<>]+)"
_PART = re.compile(rf"<!-- generated: ({_OURS}) -->\n?(.*?)\n?<!-- end: \1 -->\n?", re.DOTALL)
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)
_LARGER = ((10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"))
_SHOWN_STEPS = 20


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card is made of.

    Attributes:
        repo: ``acme/hvac``.
        specification: of the benchmark, where it is one.
        touched: datasets whose parts are made anew.
        present: paths of all datasets in the repository, the touched ones among them.
        steps: of all of these together, where known.
        provenance: of the repository.
    """

    repo: str
    specification: BenchmarkSpecification | None
    touched: tuple[LocalDataset, ...]
    present: tuple[str, ...]
    steps: int
    provenance: Provenance


def hand_digest(text: str) -> str:
    """Return a hash of what was written by hand in a card; spacing does not count."""
    block, body = split(_PART.sub("", text))
    words = [line.strip() for line in f"{block}\n---\n{body}".splitlines()]
    return hashlib.sha256("\n".join(filter(None, words)).encode()).hexdigest()


def choose_text(local: str | None, remote: str | None, base: str | None) -> str | None:
    """Return the text to start from, with what people wrote last; None where both sides wrote something else.

    Args:
        local: the card on this machine.
        remote: the card in the repository.
        base: hash of what was written by hand when the card was last published.
    """
    if local is None or remote is None:
        return local or remote or ""
    mine, theirs = hand_digest(local), hand_digest(remote)
    if mine in (theirs, base):
        return remote
    return _with_parts(local, remote) if theirs == base or not _PART.sub("", remote).strip() else None


def _with_parts(text: str, other: str) -> str:
    """Return a card with the generated parts of another one that it lacks."""
    known = {found[1] for found in _PART.finditer(text)}
    for found in _PART.finditer(other):
        if found[1] not in known:
            text = filled(text, found[1], found[2])
    return text


def made_card(text: str, facts: CardFacts) -> str:
    """Return the card with its generated parts made anew.

    Args:
        text: what it says now, ``""`` where there is none.
        facts: what it is made of.

    Raises:
        FormatError: its front matter cannot be read.
    """
    front = merged(text or _begun(facts), front_keys(facts))
    keep = {f"dataset {path}" for path in facts.present} | {"facts", "scores", "provenance"}
    text = _PART.sub(lambda found: found[0] if found[1] in keep else "", front)
    text = _filled(text, "facts", _facts(facts))
    text = _filled(text, "scores", _scores(facts.specification))
    for dataset in facts.touched:
        text = _filled(text, f"dataset {dataset.path}", _dataset(facts, dataset))
    return _filled(text, "provenance", _provenance(facts.provenance))


def _filled(text: str, part: str, lines: Iterable[str]) -> str:
    content = "\n".join(lines)
    return filled(text, part, content) if content or f"<!-- generated: {part} -->" in text else text


def _begun(facts: CardFacts) -> str:
    told = facts.specification
    title = (told.title if told is not None else "") or facts.repo.partition("/")[2]
    description = told.description.strip() if told is not None else ""
    return f"\n# {_cell(title)}\n\n{description}\n" if description else f"\n# {_cell(title)}\n"


def front_keys(facts: CardFacts) -> dict[str, Any]:
    """Return the front matter that is made from the facts."""
    told = facts.specification
    keys: dict[str, Any] = licence_keys(told.licence if told is not None else None)
    title = (told.title if told is not None else "") or facts.repo.partition("/")[2]
    sizes = (*_SIZES, *_LARGER)
    keys |= {
        "pretty_name": title,
        "task_categories": ["reinforcement-learning"],
        "tags": list(_tags(facts)),
        "size_categories": [next((name for limit, name in sizes if facts.steps < limit), "100B<n<1T")],
    }
    configs = [
        {"config_name": path.replace("/", "--"), "data_files": f"{path}/data/episodes.parquet"}
        for path in facts.present
    ]
    return {**keys, "configs": configs} if configs else keys


def _tags(facts: CardFacts) -> Iterator[str]:
    yield from ("minari", "gymnasium", "offline-rl", "pytupli")
    environments = {dataset.metadata.environment_id for dataset in facts.touched}
    told = facts.specification
    if told is not None:
        environments = set() if told.data_only else {told.environment.id}
        yield from (tag for tag in told.tags if tag not in {"minari", "gymnasium", "offline-rl", "pytupli"})
    yield from (f"environment:{name}" for name in sorted(filter(None, environments)))


def _facts(facts: CardFacts) -> Iterator[str]:
    told = facts.specification
    if told is None:
        yield f"Datasets for offline reinforcement learning in [Minari](https://minari.farama.org)'s format: {_named(facts)}."
        return
    environment = told.environment
    limit = environment.max_episode_steps
    yield from _table(
        ("", ""),
        [
            ("environment", "not shared" if told.data_only else f"`{environment.id}`"),
            ("observations", f"`{_space(expanded(environment.observation_space))}`"),
            ("actions", f"`{_space(expanded(environment.action_space))}`"),
            ("time limit", f"{limit:,} steps" if limit else "none"),
            ("difficulty", told.difficulty),
            ("version", told.version),
            ("licence", told.licence),
            ("authors", ", ".join(told.authors)),
            ("source", told.source),
            ("citation", told.citation),
            ("datasets", _named(facts)),
        ],
    )


def _named(facts: CardFacts) -> str:
    return ", ".join(f"`{facts.repo}/{path}`" for path in facts.present)


def _scores(told: BenchmarkSpecification | None) -> Iterator[str]:
    if told is None or not (told.reference_scores or told.policies):
        return
    scores = told.reference_scores
    rows = [
        (
            name,
            f"{score.mean:.2f}",
            _normalised(told, score.mean),
            f"{score.std:.2f}",
            f"{score.episodes}",
            score.source,
        )
        for name, score in scores.items()
    ]
    rows += [
        (name, f"{policy.score:.2f}", _normalised(told, policy.score), "", "", policy.algorithm)
        for name, policy in told.policies.items()
        if policy.score is not None and name not in scores
    ]
    yield "## Scores\n"
    yield from _table(("policy", "mean return", "normalised", "std", "episodes", "what it is"), rows)


def _normalised(told: BenchmarkSpecification | None, value: float) -> str:
    scores = told.reference_scores if told is not None else {}
    if not scores.keys() >= {"random", "expert"}:
        return "–"
    try:
        return f"{normalised_score(value, scores['random'].mean, scores['expert'].mean):.1f}"
    except PytupliError:  # the references are equal
        return "–"


def _dataset(facts: CardFacts, dataset: LocalDataset) -> Iterator[str]:
    table, metadata = dataset.index.table, dataset.metadata
    returns = np.asarray(table.fields["total_return"].values, dtype=np.float64)
    description = metadata.extra.get("description")
    yield f"## {dataset.path}\n"
    if isinstance(description, str) and description.strip():
        yield f"{_cell(description)}\n"
    yield "```python"
    yield "import pytupli_d3rlpy\n"
    yield f'dataset, env = pytupli_d3rlpy.load("{facts.repo}/{dataset.path}")'
    yield "```\n"
    yield from _table(
        ("", ""),
        [
            ("episodes", f"{len(table):,}"),
            ("steps", f"{table.step_count:,}"),
            ("size", f"{dataset.index.data_size / 1e6:,.1f} MB"),
            ("environment", _environment(facts, dataset)),
            ("observations", f"`{_space(metadata.observation_space)}`"),
            ("actions", f"`{_space(metadata.action_space)}`"),
            ("return", _summary(returns)),
            ("normalised score", _normalised(facts.specification, float(np.mean(returns))).strip("–")),
            ("length", _summary(table.lengths)),
            ("recorded by", metadata.extra.get("algorithm_name")),
            ("author", _authors(metadata.extra.get("author"))),
            ("sha256", f"`{dataset.index.data_sha256}`"),
        ],
    )
    yield f"\nReturns of the episodes:\n\n```text\n{histogram(returns)}\n```\n"
    yield f"Lengths of the episodes, in steps:\n\n```text\n{histogram(table.lengths)}\n```"


def _environment(facts: CardFacts, dataset: LocalDataset) -> str | None:
    name = dataset.metadata.environment_id
    if name is None and facts.specification is not None and not facts.specification.data_only:
        name = facts.specification.environment.id
    return f"`{name}`" if name else None


def _authors(said: object) -> str:
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said or "")


def _summary(values: Any) -> str:  # noqa: ANN401 - an array of numbers
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return "–"
    return f"{finite.mean():,.2f} ± {finite.std():,.2f}, from {finite.min():,.2f} to {finite.max():,.2f}"


def _provenance(provenance: Provenance) -> Iterator[str]:
    if not provenance.steps:
        return
    yield "## Provenance\n"
    shown = provenance.steps[-_SHOWN_STEPS:]
    yield from _table(("when", "who", "what", "with"), [_step(step) for step in reversed(shown)])
    yield "\n`provenance.json` holds all of it."


def _step(step: Step) -> tuple[str, ...]:
    episodes = step.data.get("episodes")
    counted = f", {episodes:,} episodes" if isinstance(episodes, int) else ""
    made = ", ".join(f"{name} {number}" for name, number in step.versions.items())
    return step.at, step.by, f"{step.action} {step.dataset or 'the benchmark'}{counted}", made


def _space(described: Mapping[str, Any], depth: int = 0) -> str:
    kind = str(described.get("type"))
    inner = described.get("subspaces")
    if isinstance(inner, dict) and depth < 2:
        return f"{kind}({', '.join(f'{key}: {_space(one, depth + 1)}' for key, one in list(inner.items())[:20])})"
    if isinstance(inner, list) and depth < 2:
        return f"{kind}({', '.join(_space(one, depth + 1) for one in inner[:20])})"
    told = [
        f"{key}={described[key]}" for key in ("n", "nvec", "shape", "dtype", "start") if described.get(key)
    ]
    return f"{kind}({', '.join(told)})"[:300]


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"| {' | '.join('---' for _ in headings)} |"
    for row in rows:
        if len(row) != 2 or row[1]:
            yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(value: object) -> str:
    """Return a value as one line that neither ends a table's cell nor begins HTML, such as the end of a part."""
    text = " ".join(str("" if value is None else value).split())
    return text.replace("|", "/").replace("<", "&lt;")
