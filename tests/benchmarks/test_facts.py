"""What users pass by mistake: each mistake is told in words that say what to write instead."""

import gymnasium
import numpy as np
import pytest

from pytupli_registry import Benchmark, Recorder
from pytupli_registry.benchmarks.facts import names_of
from pytupli_registry.benchmarks.results import Evaluation
from pytupli_registry.benchmarks.specification import ReferenceScore
from pytupli_registry.errors import ArtifactError, BenchmarkNotFound, PytupliError

pytestmark = pytest.mark.usefixtures("home")


def cart(**facts):
    env = gymnasium.make("CartPole-v1", max_episode_steps=30)
    return Benchmark.from_env(env, **{"name": "cart", "rollouts": 0, **facts})


@pytest.mark.parametrize(
    ("facts", "message", "hint"),
    [
        ({"license": "MIT"}, "A benchmark has no field 'license'.", "Did you mean 'licence'?"),
        ({"authors": "Ada"}, "authors: it has to be a list", None),
        ({"metadata": "x"}, "metadata: it has to be a dict", None),
        ({"evaluation": {"episode": 3}}, "evaluation.episode: there is no such field", None),
        ({"share": ["render_mode"]}, "share= goes with private=True.", "leave it out"),
        ({"name": "Heat pump"}, "'Heat pump' is not a benchmark's name", "letters, digits"),
    ],
)
def test_facts_that_cannot_be_are_told_with_what_can(facts, message, hint):
    with pytest.raises(PytupliError) as caught:
        cart(**facts)
    assert message in caught.value.message
    assert caught.value.hint is None if hint is None else hint in caught.value.hint


def test_a_single_text_is_one_name():
    assert (names_of("scipy"), names_of(name for name in ("a", "b")), names_of(())) == (
        ("scipy",),
        ("a", "b"),
        (),
    )
    assert [entry.requirement for entry in cart(requirements="scipy>=1").specification.requirements][1:] == [
        "scipy>=1"
    ]


def test_one_dataset_is_handed_over_by_its_name(home):
    cart().save()
    with Recorder(gymnasium.make("CartPole-v1"), "cart/few-v0") as env:
        for seed in range(2):
            env.reset(seed=seed)
            while not any(env.step(seed % 2)[2:4]):
                pass
    Benchmark.load("cart").save(home / "shared", datasets="few-v0")
    assert Benchmark.load(home / "shared").dataset_names == ("few-v0",)


def test_plain_arguments_are_shared_as_what_they_were(home):
    env = gymnasium.make("Pendulum-v1", g=9.81)
    bench = Benchmark.from_env(env, name="plant", private=True, share="g")
    bench.save()
    assert Benchmark.load("plant").artifact("g") == 9.81
    assert bench.specification.environment.kwargs == {}


def test_benchmarks_are_equal_as_what_they_say(home):
    bench = cart(title="A cart")
    bench.save()
    loaded = Benchmark.load("cart")
    assert loaded == bench
    assert hash(loaded) == hash(bench)
    assert loaded != cart(title="Another")
    assert loaded != "cart"
    assert repr(bench) == "<Benchmark cart: CartPole-v1, not saved>"
    assert repr(loaded) == f"<Benchmark cart: CartPole-v1, in {home / 'datasets' / 'cart'}>"


def test_what_was_not_loaded_cannot_be_deleted():
    bench = cart()
    bench.save()
    with pytest.raises(BenchmarkNotFound) as caught:
        bench.delete()
    assert "Benchmark.load('cart').delete()" in caught.value.hint
    Benchmark.load("cart").delete()
    with pytest.raises(BenchmarkNotFound):
        Benchmark.load("cart")


def test_the_file_of_a_benchmark_is_told_apart_from_its_directory(home):
    directory = cart().save()
    with pytest.raises(BenchmarkNotFound) as caught:
        Benchmark.load(directory / "benchmark.json")
    assert caught.value.hint == f"Give the directory that it is in: {directory}."


def test_evaluations_are_references_and_the_scores_of_policies(home):
    bench = cart()
    random = bench.evaluate("random", episodes=4)
    lazy = bench.evaluate(lambda observation: 0, episodes=3)
    scored = bench.with_reference_scores(random=random, expert=ReferenceScore(mean=30.0))
    entry = scored.specification.reference_scores["random"]
    returns = [episode.total_return for episode in random.episodes]
    assert (entry.mean, entry.episodes, entry.seed) == (sum(returns) / 4, 4, 10_000)
    assert entry.std == pytest.approx(np.std(returns))
    assert (entry.source, random.as_reference("by chance").source) == ("random", "by chance")
    (home / "p.d3").write_bytes(b"x")
    kept = scored.with_policy("lazy", home / "p.d3", score=lazy).specification.policies["lazy"]
    assert kept.score == lazy.returns.mean.value
    assert scored.evaluate(lambda observation: 0, episodes=3).normalised is not None


def test_evaluations_of_another_benchmark_are_no_scores_of_this_one(home):
    other = Benchmark.from_env(gymnasium.make("CartPole-v1"), name="other", rollouts=0)
    elsewhere = other.evaluate("random", episodes=2)
    with pytest.raises(ArtifactError, match="was on another benchmark \\('other'\\) than 'cart'"):
        cart().with_reference_scores(random=elsewhere)
    (home / "p.d3").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="another benchmark"):
        cart().with_policy("lazy", home / "p.d3", score=elsewhere)
    with pytest.raises(ArtifactError, match="cannot be a policy's entry: score"):
        cart().with_policy("lazy", home / "p.d3", score="good")


def test_runs_are_told_apart_by_their_seeds_in_files_that_come_back():
    found = cart().evaluate("random", episodes=2, run=3)
    assert found.policy.run == "3"
    assert Evaluation.from_json(found.to_json()) == found
    with pytest.raises(ArtifactError, match="episodes"):
        cart().evaluate("random", episodes=0)
    with pytest.raises(ArtifactError, match="run"):
        cart().evaluate("random", episodes=1, run="x" * 201)


def test_an_evaluation_is_one_line():
    found = cart().evaluate("random", episodes=2)
    mean = found.returns.mean
    figures = f"return {mean.value:.5g} [{mean.low:.5g}, {mean.high:.5g}]"
    assert found.summary == f"random on cart: {figures}, 2 episodes"
    assert repr(found) == str(found) == f"<Evaluation: {found.summary}>"
