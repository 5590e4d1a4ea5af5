"""Recipes: what they say is what is read, and what is wrong is named with its file and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytupli_registry.benchmarks.specification import EvaluationProtocol
from pytupli_registry.catalog.recipe import CheckpointRecipe, Recipe, TrainingRecipe, read_recipe
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path


def read(tmp_path: Path, text: str, name: str = "tiny") -> Recipe:
    (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / name / "benchmark.toml").write_text(text, encoding="utf-8")
    return read_recipe(tmp_path / name)


def test_what_a_recipe_says(tmp_path: Path, tiny: str) -> None:
    recipe = read(tmp_path, tiny)
    assert (recipe.name, recipe.title, recipe.difficulty) == ("tiny", "A few steps of CartPole", "easy")
    assert (recipe.environment.id, recipe.environment.max_episode_steps) == ("CartPole-v1", 25)
    assert recipe.evaluation == EvaluationProtocol(episodes=4, seed=500, discount=0.99)
    assert recipe.references == {"random": "random", "expert": "expert"}
    assert recipe.policies["expert"].controller == "acme_benchmarks.controllers:feedback"
    assert recipe.policies["expert"].arguments == {"gain": 0.35}
    assert (recipe.policies["medium"].like, recipe.policies["medium"].epsilon) == ("expert", 0.5)
    assert list(recipe.datasets) == ["random-v0", "mixed-v0"]
    mixed = recipe.datasets["mixed-v0"]
    assert (mixed.episodes, mixed.seed, mixed.policies) == (7, 100, {"medium": 0.5, "expert": 0.5})
    assert mixed.options == ({"low": -0.05, "high": 0.0}, {"low": 0.0, "high": 0.05})
    assert mixed.metadata == {"season": "summer"}
    assert recipe.baselines is None
    assert not recipe.needs_training


TRAINED = """
[policies.learner.train]
algorithm = "DQN"
steps = 400
seed = 3
settings = { learning_rate = 0.001 }
exploration = { start = 1.0, end = 0.1, steps = 200 }

[policies.novice.checkpoint]
of = "learner"
step = 40

[datasets.replay-v0]
description = "What the learner saw."
replay = "learner"

[baselines]
datasets = ["mixed-v0"]
steps = 50
seeds = [4, 5]
algorithms = { DiscreteBC = { learning_rate = 0.01 }, DiscreteCQL = {} }
"""


def test_training_replay_and_baselines(tmp_path: Path, tiny: str) -> None:
    recipe = read(tmp_path, tiny + TRAINED)
    assert recipe.policies["learner"].train == TrainingRecipe(
        algorithm="DQN",
        steps=400,
        seed=3,
        settings={"learning_rate": 0.001},
        exploration={"start": 1.0, "end": 0.1, "steps": 200},
    )
    assert recipe.needs_training
    assert recipe.policies["novice"].checkpoint == CheckpointRecipe(of="learner", step=40)
    assert recipe.datasets["replay-v0"].replay == "learner"
    assert recipe.datasets["replay-v0"].episodes is None
    assert recipe.baselines is not None
    assert (recipe.baselines.steps, recipe.baselines.seeds) == (50, (4, 5))
    assert recipe.baselines.algorithms == {"DiscreteBC": {"learning_rate": 0.01}, "DiscreteCQL": {}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "tiny"', 'name = "other"', r"at name: it is 'other' in a directory named 'tiny'"),
        ('name = "tiny"', 'name = "../tiny"', r"name: .*pattern"),
        ('title = "A few steps of CartPole"', "", r"title: Field required"),
        ('difficulty = "easy"', 'difficulty = "trivial"', r"difficulty: .*'easy', 'medium' or 'hard'"),
        ('licence = "MIT"', 'license = "MIT"', r"license: Extra inputs are not permitted"),
        ('["gymnasium>=1.0.0"]', '["--index-url evil"]', r"requirement"),
        ("max_episode_steps = 25", "max_episode_steps = 0", r"environment\.max_episode_steps: "),
        ('id = "CartPole-v1"', 'id = "os; CartPole-v1"', r"environment\.id: "),
        ("episodes = 4", "episodes = -4", r"evaluation\.episodes: "),
        (":feedback", ".feedback", r"policies\.expert\.controller: "),
        ('like = "expert"', 'like = "export"', r"policies\.medium\.like: there is no policy 'export'"),
        ('like = "expert"', 'like = "medium"', r"policies\.medium: it is like itself"),
        ("epsilon = 0.5", "epsilon = 1.5", r"policies\.medium\.epsilon: "),
        ('like = "expert"', "", r"policies\.medium: give exactly one of 'controller', 'train', 'checkpoint' and 'like'"),
        ('like = "expert"', 'like = "expert"\narguments = { a = 1 }', r"policies\.medium: 'arguments' are"),
        ("[policies.medium]", "[policies.random]", r"policies\.random: the random policy is always there"),
        ("[datasets.mixed-v0]", "[datasets.mixed]", r"datasets\.mixed\.\[key\]: "),
        ("medium = 0.5, expert = 0.5", "medium = 0.5", r"datasets\.mixed-v0: the shares .* add up to 0\.5"),
        ("medium = 0.5, expert", "nobody = 0.5, expert", r"datasets\.mixed-v0\.policies: there is no policy"),
        ("episodes = 7\n", "", r"datasets\.mixed-v0: say how many 'episodes'"),
        ("episodes = 7", 'episodes = 7\nreplay = "expert"', r"datasets\.mixed-v0: give either"),
        ('{ season = "summer" }', "{ season = [1] }", r"datasets\.mixed-v0\.metadata\.season"),
        ("arguments = { gain = 0.35 }", "arguments = { gain = nan }", r"policies\.expert\.arguments"),
        ('replay = "learner"', 'replay = "expert"', r"datasets\.replay-v0\.replay: .* 'expert' is not trained"),
        ('replay = "learner"', 'replay = "learner"\nseed = 3', r"datasets\.replay-v0: a replay has"),
        ('datasets = ["mixed-v0"]', 'datasets = ["all-v0"]', r"baselines\.datasets: there is no dataset 'all-v0'"),
        ('datasets = ["mixed-v0"]', "datasets = []", r"baselines\.datasets: "),
        ("seeds = [4, 5]", "seeds = [-1]", r"baselines\.seeds\.0: "),
        ("step = 40", "step = 401", r"policies\.novice\.checkpoint: 'learner' is not trained for that many steps"),
        ('of = "learner"', 'of = "expert"', r"policies\.novice\.checkpoint: 'expert' is not trained"),
        ('of = "learner"', 'of = "random"', r"policies\.novice\.checkpoint\.of: there is no policy 'random'"),
        ('algorithm = "DQN"', 'algorithm = "os.system"', r"policies\.learner\.train\.algorithm: "),
        ("start = 1.0,", "begin = 1.0,", r"policies\.learner\.train\.exploration\.begin"),
        ("[environment]", "[environment", r"it is not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str, tiny: str) -> None:
    text = tiny + TRAINED
    assert text.count(old) == 1 or old in {"episodes = 4", 'id = "CartPole-v1"'}
    with pytest.raises(FormatError, match=said) as caught:
        read(tmp_path, text.replace(old, new))
    assert "tiny/benchmark.toml" in caught.value.message


def test_every_problem_is_told_at_once(tmp_path: Path, tiny: str) -> None:
    text = tiny.replace("episodes = 6", "episodes = 0").replace("epsilon = 0.5", "epsilon = 2")
    with pytest.raises(FormatError, match=r"policies\.medium\.epsilon: .*; datasets\.random-v0\.episodes: "):
        read(tmp_path, text)


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_recipe(tmp_path / "none")


@pytest.mark.parametrize("file", ["../secret.csv", "/etc/passwd", "artifacts/none.csv", "artifacts"])
def test_files_lie_beside_the_recipe(tmp_path: Path, file: str, tiny: str) -> None:
    (tmp_path / "secret.csv").write_text("1")
    (tmp_path / "tiny" / "artifacts").mkdir(parents=True)
    arguments = f'arguments = {{ wind = [{{ file = "{file}" }}] }}\nid = "CartPole-v1"'
    with pytest.raises(FormatError, match=r"environment\.arguments: there is no file"):
        read(tmp_path, tiny.replace('id = "CartPole-v1"', arguments))


def test_a_file_that_is_there(tmp_path: Path, tiny: str) -> None:
    (tmp_path / "tiny" / "artifacts").mkdir(parents=True)
    (tmp_path / "tiny" / "artifacts" / "wind.csv").write_text("1")
    arguments = 'arguments = { wind = { file = "artifacts/wind.csv" }, speed = 2 }\nid = "CartPole-v1"'
    recipe = read(tmp_path, tiny.replace('id = "CartPole-v1"', arguments))
    assert recipe.environment.arguments == {"wind": {"file": "artifacts/wind.csv"}, "speed": 2}
