"""Cards: the front matter of a ``README.md``, validated as the Hub's ``POST /api/validate-yaml`` does it.

Texts of errors and warnings are the Hub's, as far as its users have quoted them: clients show them, and
huggingface_hub's own tests match them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pytupli_registry.server.wire.front_matter import FrontMatterError, load_yaml, yaml_block
from pytupli_registry.server.wire.licenses import COLORS, LICENSES, SDKS, SIZE_CATEGORIES, TASK_CATEGORIES

__all__ = ["LONGEST_TAG", "Card", "card_tags", "first_space_card", "plain_lines", "read_card"]

LONGEST_TAG = 255
_MOST_TAGS = 1000
_MOST_PROBLEMS = 20  # each may carry a list of eighty names
_MISSING = "empty or missing yaml metadata in repo card"
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SPECIAL_LANGUAGES = frozenset({"code", "multilingual", "other", "unknown"})
_LANGUAGE_RULE = (
    "is not valid. It must be an ISO 639-1, 639-2 or 639-3 code (two/three letters), or a special value like "
    '"code", "multilingual". If you want to use BCP-47 identifiers, you can specify them in language_bcp47.'
)
_REPO_ID = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_DESCRIPTION = 60

# Fields whose values become the tag ``field:value`` of a dataset (and what list_datasets(filter=…) asks for).
_DATASET_TAGS = (
    "annotations_creators",
    "language_creators",
    "task_categories",
    "task_ids",
    "multilinguality",
    "source_datasets",
    "language",
    "license",
    "size_categories",
    "benchmark",
)


@dataclass(frozen=True, slots=True)
class Card:
    """What a ``README.md`` says in its front matter.

    Attributes:
        metadata: the block as plain values; empty where there is none that can be read.
        errors: why the Hub would not take it.
        warnings: what is odd, but taken.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def first_space_card(name: str, sdk: str | None) -> bytes:
    """Return the ``README.md`` that a new space begins with, as on huggingface.co."""
    kind = f"sdk: {sdk}\n" if sdk in SDKS else ""
    return f"---\ntitle: {json.dumps(name)}\n{kind}pinned: false\n---\n".encode()


def read_card(text: str, repo_type: str) -> Card:
    """Read and validate a card; never raises.

    Args:
        text: the whole ``README.md``.
        repo_type: ``dataset``, ``model`` or ``space``.
    """
    block = yaml_block(text)
    if block is None:
        return Card(warnings=(_MISSING,))
    try:
        metadata = load_yaml(block)
    except FrontMatterError as error:
        return Card(errors=(f"Invalid YAML in README.md: {error}",))
    if isinstance(metadata, list):
        return Card(errors=('"value" must be of type object',))
    if not isinstance(metadata, dict):
        return Card(errors=("The YAML metadata of your README.md is invalid.",))
    errors, warnings = _errors(metadata, repo_type), _warnings(metadata, repo_type)
    return Card(metadata, tuple(islice(errors, _MOST_PROBLEMS)), tuple(islice(warnings, _MOST_PROBLEMS)))


def plain_lines(card: Card) -> str:
    """Return the answer for ``Accept: text/plain``, one line a problem."""
    lines = [f"- Error: {text}" for text in card.errors] + [f"- Warning: {text}" for text in card.warnings]
    return "\n".join(lines)


def card_tags(metadata: Mapping[str, Any], repo_type: str) -> tuple[str, ...]:
    """Return the searchable tags of a card, as the Hub derives them, each once.

    A dataset's are ``license:mit``, ``language:en``, ``task_categories:…`` and so on, before its plain ``tags``;
    of a model, languages, library and pipeline are plain tags themselves.
    """
    found = _dataset_tags(metadata) if repo_type == "dataset" else _other_tags(metadata)
    return tuple(dict.fromkeys(tag for tag in found if 0 < len(tag.lower()) <= LONGEST_TAG))[:_MOST_TAGS]


def _dataset_tags(metadata: Mapping[str, Any]) -> Iterator[str]:
    for name in _DATASET_TAGS:
        for _, value in _texts(metadata, name):
            yield f"{name}:{value}"
    yield from (value for _, value in _texts(metadata, "tags"))


def _other_tags(metadata: Mapping[str, Any]) -> Iterator[str]:
    for name in ("library_name", "pipeline_tag", "sdk", "tags", "language"):
        yield from (value for _, value in _texts(metadata, name))
    for name, prefix in (("datasets", "dataset"), ("base_model", "base_model"), ("license", "license")):
        yield from (f"{prefix}:{value}" for _, value in _texts(metadata, name))
    if isinstance(metadata.get("model-index"), list):
        yield "model-index"


def _texts(metadata: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a field that may be one or a list of them, each with the name errors call it by."""
    for label, value in _values(metadata, name):
        if isinstance(value, str):
            yield label, value


def _values(metadata: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    value = metadata.get(name)
    if isinstance(value, list):
        yield from ((f"{name}[{position}]", one) for position, one in enumerate(value))
    elif value is not None:
        yield name, value


def _errors(metadata: Mapping[str, Any], repo_type: str) -> Iterator[str]:
    yield from _license(metadata)
    yield from _languages(metadata)
    yield from _tags(metadata)
    yield from _RULES.get(repo_type, _no_rules)(metadata)


def _no_rules(_: Mapping[str, Any]) -> Iterator[str]:
    yield from ()


def _license(metadata: Mapping[str, Any]) -> Iterator[str]:
    for label, value in _values(metadata, "license"):
        if not isinstance(value, str) or value not in LICENSES:
            allowed = LICENSES if "[" in label else (*LICENSES, "array")
            yield f'"{label}" must be one of [{", ".join(allowed)}]'


def _languages(metadata: Mapping[str, Any]) -> Iterator[str]:
    for label, value in _values(metadata, "language"):
        if not isinstance(value, str):
            yield f'"{label}" must be a string'
        elif not (_LANGUAGE.fullmatch(value) or value in _SPECIAL_LANGUAGES):
            yield f'"{label}" with value "{value[:80]}" {_LANGUAGE_RULE}'


def _tags(metadata: Mapping[str, Any]) -> Iterator[str]:
    tags = metadata.get("tags")
    if tags is None:
        return
    if not isinstance(tags, list):
        yield '"tags" must be an array'
        return
    if len(tags) > _MOST_TAGS:
        yield f'"tags" must contain less than or equal to {_MOST_TAGS} items'
    for position, tag in enumerate(tags[:_MOST_TAGS]):
        if not isinstance(tag, str):
            yield f'"tags[{position}]" must be a string'
        elif len(tag) > LONGEST_TAG:
            yield (f'"tags[{position}]" length must be less than or equal to {LONGEST_TAG} characters long')


def _dataset_errors(metadata: Mapping[str, Any]) -> Iterator[str]:
    name = metadata.get("pretty_name")
    if name is not None and not isinstance(name, str):
        yield '"pretty_name" must be a string'


def _model_errors(metadata: Mapping[str, Any]) -> Iterator[str]:
    for field_name, kind in (("base_model", "model"), ("datasets", "dataset")):
        for label, value in _values(metadata, field_name):
            if not isinstance(value, str):
                yield f'"{label}" must be a string'
            elif not _REPO_ID.fullmatch(value):
                yield (
                    f'"{label}" with value "{value[:120]}" is not valid. '
                    f"Use a {kind} id from https://hf.co/{kind}s."
                )
    yield from _model_index(metadata.get("model-index"))


def _model_index(index: Any) -> Iterator[str]:  # noqa: ANN401 - what YAML may hold
    if index is None:
        return
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for position, entry in enumerate(index):
        label = f"model-index[{position}]"
        if not isinstance(entry, dict):
            yield f'"{label}" must be of type object'
            continue
        yield from _required(entry, label, "name")
        results = entry.get("results")
        if not isinstance(results, list):
            yield f'"{label}.results" must be an array'
            continue
        for number, result in enumerate(results):
            yield from _model_result(result, f"{label}.results[{number}]")


def _model_result(result: Any, label: str) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(result, dict):
        yield f'"{label}" must be of type object'
        return
    yield from _required(result.get("task"), f"{label}.task", "type")
    yield from _required(result.get("dataset"), f"{label}.dataset", "type", "name")
    metrics = result.get("metrics")
    if not isinstance(metrics, list):
        yield f'"{label}.metrics" must be an array'
        return
    for number, metric in enumerate(metrics):
        yield from _required(metric, f"{label}.metrics[{number}]", "type", "value")


def _required(value: Any, label: str, *names: str) -> Iterator[str]:  # noqa: ANN401
    if value is None:
        yield f'"{label}" is required'
    elif not isinstance(value, dict):
        yield f'"{label}" must be of type object'
    else:
        yield from (f'"{label}.{name}" is required' for name in names if value.get(name) is None)


def _space_errors(metadata: Mapping[str, Any]) -> Iterator[str]:
    for name, allowed in (("colorFrom", COLORS), ("colorTo", COLORS), ("sdk", SDKS)):
        if metadata.get(name) is not None and metadata[name] not in allowed:
            yield f'"{name}" must be one of [{", ".join(allowed)}]'
    description = metadata.get("short_description")
    if isinstance(description, str) and len(description) > _LONGEST_DESCRIPTION:
        yield (
            f'"short_description" length must be less than or equal to {_LONGEST_DESCRIPTION} characters long'
        )


_RULES: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "dataset": _dataset_errors,
    "model": _model_errors,
    "space": _space_errors,
}


def _warnings(metadata: Mapping[str, Any], repo_type: str) -> Iterator[str]:
    if not metadata:
        yield _MISSING
    if repo_type != "dataset":
        return
    for name, official in (("task_categories", TASK_CATEGORIES), ("size_categories", SIZE_CATEGORIES)):
        for _, value in _texts(metadata, name):
            if value not in official:
                yield f'The {name} "{value[:80]}" is not in the official list: {", ".join(official)}'
