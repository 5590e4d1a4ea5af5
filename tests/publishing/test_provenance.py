"""``provenance.json``: it reads back as it was written, and what is none is refused."""

import json
from importlib.metadata import version

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.errors import FormatError, UnsupportedFormat
from pytupli_registry.publishing.provenance import Provenance, Step, versions

STEPS = st.builds(
    Step,
    action=st.sampled_from(["publish", "append"]),
    dataset=st.none() | st.just("summer-v0"),
    by=st.text(min_size=1),
    data=st.dictionaries(st.text(), st.integers()),
    sources=st.lists(st.dictionaries(st.text(), st.text(), max_size=2), max_size=2).map(tuple),
    versions=st.just({"python": "3.11"}),  # to ask for those that are installed takes a while
)


@settings(max_examples=25)
@given(st.lists(STEPS, max_size=3), st.none() | st.text())
def test_it_reads_back(steps: list[Step], card: str | None) -> None:
    provenance = Provenance((), card).with_steps(*steps)
    assert Provenance.read(provenance.to_json()) == provenance
    assert list(provenance.of(None)) == [step for step in steps if step.dataset is None]


def test_versions_are_those_of_what_is_installed() -> None:
    assert versions()["gymnasium"] == version("gymnasium")
    assert versions().keys() >= {"python", "pytupli-registry", "numpy", "minari"}
    assert Step("publish", None, "alice").at.endswith("Z")


def test_nothing_is_an_empty_one() -> None:
    assert Provenance.read(None) == Provenance()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"steps": None},
        {"steps": [1]},
        {"steps": [{"action": "publish"}]},
        {"steps": [{**Step("a", None, "b").plain(), "sources": [1]}]},
        {"steps": [{**Step("a", None, "b").plain(), "dataset": 1}]},
    ],
)
def test_what_is_none_is_refused(change: dict[str, object]) -> None:
    said = json.loads(Provenance().to_json())
    with pytest.raises(FormatError, match=r"provenance\.json"):
        Provenance.read(json.dumps({**said, **change}).encode())


def test_a_later_version_is_told_apart_from_damage() -> None:
    said = json.loads(Provenance().to_json())
    with pytest.raises(UnsupportedFormat):
        Provenance.read(json.dumps({**said, "format_version": 2}).encode())
    for content in (b"", b"\xff", b"[" * 5000):
        with pytest.raises(FormatError):
            Provenance.read(content)
