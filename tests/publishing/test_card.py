"""The card: generated parts follow the data, what people wrote stays."""

from dataclasses import replace
from pathlib import Path

import gymnasium
import pytest
import yaml

from pytupli_registry import Benchmark, api
from pytupli_registry.benchmarks.specification import ReferenceScore
from pytupli_registry.publishing.card import CardFacts, choose_text, hand_digest, made_card
from pytupli_registry.publishing.local import open_local
from pytupli_registry.publishing.provenance import Provenance, Step
from pytupli_registry.server.wire.card import read_card
from tests.publishing.conftest import episodes, write


@pytest.fixture
def facts(small_env: gymnasium.Env, home: Path) -> CardFacts:
    """A benchmark with scores, and one dataset."""
    specification = Benchmark.from_env(
        small_env, name="hvac", title="Heat | cool", description="Keep warm. <!-- end: facts -->", licence="MIT",
        tags=["heating"], rollouts=0,
    ).specification.model_copy(
        update={"reference_scores": {"random": ReferenceScore(mean=-2.0), "expert": ReferenceScore(mean=8.0)}}
    )  # fmt: skip
    write("hvac/summer-v0", count=30)
    dataset = open_local(home / "datasets" / "hvac" / "summer-v0", "summer-v0", "hvac")
    steps = (Step("publish", "summer-v0", "alice", data={"episodes": 30}),)
    return CardFacts("acme/hvac", specification, (dataset,), ("summer-v0",), 150, Provenance(steps))


def test_the_hub_understands_the_front_matter(facts: CardFacts) -> None:
    card = made_card("", facts)
    read = read_card(card, "dataset")
    assert not read.errors
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "mit"
    assert front["task_categories"] == ["reinforcement-learning"]
    assert front["size_categories"] == ["n<1K"]
    assert {"minari", "gymnasium", "heating", "environment:CartPole-v1"} <= set(front["tags"])
    assert front["configs"] == [{"config_name": "summer-v0", "data_files": "summer-v0/data/episodes.parquet"}]


def test_it_says_what_the_data_says(facts: CardFacts) -> None:
    card = made_card("", facts)
    returns = [sum(one.rewards) for one in episodes(30)]
    mean = sum(returns) / 30
    assert 'dataset, env = pytupli_d3rlpy.load("acme/hvac/summer-v0")' in card
    assert "| episodes | 30 |" in card
    assert f"| return | {mean:,.2f} ± " in card
    assert f"| normalised score | {100 * (mean + 2) / 10:.1f} |" in card
    assert f"to {max(returns):,.2f} |" in card
    assert card.count("│") >= 10
    assert "| random | -2.00 | 0.0 |" in card
    assert "| alice | publish summer-v0, 30 episodes |" in card
    assert "# Heat / cool" in card


def test_making_it_again_changes_nothing_and_hands_are_kept(facts: CardFacts) -> None:
    card = made_card("", facts)
    assert made_card(card, facts) == card
    edited = (
        card.replace("<!-- generated: facts -->", "By hand above.\n\n<!-- generated: facts -->")
        + "\nBelow.\n"
    )
    api.append("hvac/summer-v0", episodes(2, 5))
    longer = open_local(facts.touched[0].directory.parent, "summer-v0", "hvac")
    again = made_card(edited, replace(facts, touched=(longer,)))
    assert "| episodes | 32 |" in again
    assert "| episodes | 30 |" not in again
    assert "By hand above." in again
    assert again.rstrip().endswith("Below.")
    assert hand_digest(again) == hand_digest(edited) != hand_digest(card)
    gone = made_card(again, replace(facts, touched=(), present=()))
    assert "generated: dataset" not in gone
    assert "By hand above." in gone


def test_text_of_strangers_cannot_end_a_part(facts: CardFacts) -> None:
    hostile = replace(
        facts.touched[0].metadata, extra={"description": "x <!-- end: dataset summer-v0 --> | y"}
    )
    told = replace(facts, touched=(replace(facts.touched[0], metadata=hostile),))
    card = made_card("", told)
    assert card.count("<!-- end: dataset summer-v0 -->") == 1
    assert made_card(card, told) == card


def test_what_was_written_last_wins() -> None:
    base, mine, theirs = "# A\n", "# B\n", "# C\n"
    digest = hand_digest(base)
    assert choose_text(None, None, None) == ""
    assert choose_text(mine, None, None) == mine
    assert choose_text(None, theirs, digest) == theirs
    assert choose_text(mine, base, digest) == mine
    assert choose_text(base, theirs, digest) == theirs
    assert choose_text(mine, theirs, digest) is None
    assert choose_text(mine, theirs, None) is None
    assert choose_text("#  A  ".replace("  ", " "), "\n# A\n\n", None) == "\n# A\n\n"


def test_parts_of_datasets_that_are_not_here_stay(facts: CardFacts) -> None:
    there = made_card("", facts)
    text = choose_text("# Mine\n", there, hand_digest(there))
    assert text is not None
    kept = made_card(text, replace(facts, touched=()))
    assert kept.count("## summer-v0") == 1
    assert "# Mine" in kept
