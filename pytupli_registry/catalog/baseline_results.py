"""``baselines.json``: the scores of offline algorithms on a catalog's datasets, with everything to get them again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytupli_registry.benchmarks.reproduction import summarise
from pytupli_registry.benchmarks.specification import Arguments, DatasetName, EvaluationProtocol, Name, Number
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytupli_registry.benchmarks.results import Evaluation

__all__ = ["BASELINES", "BaselineResult", "BaselineResults", "baseline_table", "read_baselines", "result_of"]

BASELINES = "baselines.json"

ByRun = dict[str, Number]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Interval(_Part):
    """A figure and its 95 % interval.

    Attributes:
        value: of all runs together.
        low: bound of the stratified bootstrap over the runs.
        high: likewise.
    """

    value: Number
    low: Number
    high: Number


class BaselineResult(_Part):
    """One algorithm on one dataset.

    Attributes:
        dataset: trained on.
        algorithm: d3rlpy's name.
        settings: of its configuration in d3rlpy.
        scores: normalised score by training seed: 0 is random, 100 the expert.
        returns: mean undiscounted return by training seed.
        iqm: interquartile mean of the scores.
    """

    dataset: DatasetName
    algorithm: Name
    settings: Arguments
    scores: ByRun
    returns: ByRun
    iqm: Interval


class BaselineResults(_Part):
    """What ``baselines.json`` says.

    Attributes:
        format: always ``pytupli-baselines``.
        format_version: of this description.
        benchmark: name of the benchmark.
        identity: of the benchmark.
        datasets: SHA-256 of each dataset's ``main_data.hdf5``.
        protocol: how each policy was evaluated.
        steps: number of updates in a training run.
        batch_size: transitions in an update.
        hidden_units: width of each hidden layer.
        results: one an algorithm and dataset.
        versions: of what was installed.
        seconds: how long all of it took.
    """

    format: Literal["pytupli-baselines"] = "pytupli-baselines"
    format_version: Literal[1] = 1
    benchmark: Name
    identity: str
    datasets: dict[DatasetName, str]
    protocol: EvaluationProtocol
    steps: int
    batch_size: int
    hidden_units: tuple[int, ...]
    results: Annotated[tuple[BaselineResult, ...], Field(min_length=1)]
    versions: dict[str, str]
    seconds: Number

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def read_baselines(path: Path) -> BaselineResults | None:
    """Read the results in a file; None where there is none.

    Raises:
        FormatError: it holds something else.
    """
    if not path.is_file():
        return None
    try:
        return BaselineResults.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or None
        raise FormatError(path, f"it holds no baselines: {first['msg']:.200}", where=place) from error


def result_of(
    dataset: str, algorithm: str, settings: dict[str, object], evaluations: dict[int, Evaluation]
) -> BaselineResult:
    """Sum up the training runs of one algorithm on one dataset.

    Args:
        dataset: trained on.
        algorithm: d3rlpy's name.
        settings: of its configuration.
        evaluations: of each run, by training seed; with reference scores.
    """
    summary = summarise(list(evaluations.values()))
    iqm = summary.statistics.iqm
    return BaselineResult.model_validate(
        {
            "dataset": dataset,
            "algorithm": algorithm,
            "settings": settings,
            "scores": {str(seed): made.score for seed, made in evaluations.items()},
            "returns": {str(seed): made.returns.mean.value for seed, made in evaluations.items()},
            "iqm": {"value": iqm.value, "low": iqm.low, "high": iqm.high},
        }
    )


def baseline_table(results: BaselineResults) -> str:
    """Return the table for the card, in Markdown."""
    return "\n".join(_table(results))


def _table(results: BaselineResults) -> Iterator[str]:
    algorithms = list(dict.fromkeys(result.algorithm for result in results.results))
    datasets = list(dict.fromkeys(result.dataset for result in results.results))
    cells = {(result.dataset, result.algorithm): result for result in results.results}
    runs = len(results.results[0].scores)
    yield (
        f"Normalised scores (0 random, 100 expert): interquartile mean over {runs} training seeds with its 95 % "
        f"interval, {results.steps:,} updates of {results.batch_size} transitions, networks of "
        f"{'×'.join(map(str, results.hidden_units))}, {results.protocol.episodes} evaluation episodes from seed "
        f"{results.protocol.seed}. Short runs of small networks: a check that the data teaches something and a line "
        "to compare with, not what the algorithms can do."
    )
    yield ""
    yield f"| dataset | {' | '.join(algorithms)} |"
    yield f"| --- | {' | '.join('---:' for _ in algorithms)} |"
    for dataset in datasets:
        said = (_cell(cells.get((dataset, algorithm))) for algorithm in algorithms)
        yield f"| `{results.benchmark}/{dataset}` | {' | '.join(said)} |"
    yield ""
    yield (
        f"Made with `pytupli catalog baselines {results.benchmark}` ({_versions(results)}; "
        f"{results.seconds:.0f} s); every run is in `{BASELINES}`."
    )


def _cell(result: BaselineResult | None) -> str:
    if result is None:
        return "–"
    return f"{result.iqm.value:.1f} [{result.iqm.low:.1f}, {result.iqm.high:.1f}]"


def _versions(results: BaselineResults) -> str:
    shown = (name for name in ("d3rlpy", "torch", "gymnasium") if name in results.versions)
    return ", ".join(f"{name} {results.versions[name]}" for name in shown)
