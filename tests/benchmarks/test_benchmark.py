"""Benchmarks as users make, share and load them: real environments, real directories, other processes."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.wrappers import ClipAction, FlattenObservation, TimeAwareObservation

from pytupli_registry import Benchmark, Recorder
from pytupli_registry.benchmarks.specification import EvaluationProtocol, ReferenceScore
from pytupli_registry.errors import (
    ArtifactError,
    EnvironmentRefused,
    FormatError,
    InvalidReference,
    RequirementsMissing,
)

MODULE = '''
import gymnasium, numpy as np
from pathlib import Path

class House(gymnasium.Env):
    """Remembers everything it was given; what it does depends on all of it."""

    def __init__(self, weather, prices, plan, table, blob, options, steps=5, name="house"):
        self.given = dict(weather=weather, prices=prices, plan=plan, table=table, blob=blob, options=options, steps=steps)
        self.secret = "the secret of the house"
        self._sum = (
            float(np.sum(prices)) + len(Path(weather).read_text()) + plan["rooms"][0] + float(table["a"].sum()) + len(blob)
        )
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._now = 0
        return np.array([self._sum, self.np_random.random()]), {}

    def step(self, action):
        self._now += 1
        return np.array([self._sum, self.np_random.random()]), float(action), False, self._now >= 5, {}


class Undocumented(gymnasium.Wrapper):
    def __init__(self, env, scale=1.0):
        super().__init__(env)
'''


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An environment of the user's own module, given one thing of each kind."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "acme_house.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    monkeypatch.delitem(sys.modules, "acme_house", raising=False)

    (tmp_path / "weather.csv").write_text("hour,degrees\n0,1.5\n1,2.5\n")
    given = {
        "weather": tmp_path / "weather.csv",
        "prices": np.linspace(0, 1, 7, dtype=np.float32),
        "plan": {"rooms": [3, 4], "owner": ("a", 1)},
        "table": pd.DataFrame(
            {"a": [1.0, 2.0]}, index=pd.date_range("2025-01-01", periods=2, freq="h", name="t")
        ),
        "blob": b"\x00\x01",
        "options": None,
    }
    gymnasium.register("acme/House-v0", entry_point="acme_house:House", max_episode_steps=4)
    yield gymnasium.make("acme/House-v0", **given), given
    gymnasium.registry.pop("acme/House-v0", None)
    sys.modules.pop("acme_house", None)


def run_in_another_process(script, path=None):
    environment = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


def play(env, seed, steps):
    """Return everything that happens in seeded episodes of a fixed policy."""
    env.action_space.seed(seed)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.extend([observation, np.array([reward, terminated, truncated])])
        if terminated or truncated:
            seen.append(env.reset()[0])
    return seen


def same(first, second):
    assert len(first) == len(second)
    for left, right in zip(first, second, strict=True):
        assert np.asarray(left).dtype == np.asarray(right).dtype
        np.testing.assert_array_equal(left, right)


def wrapped():
    env = gymnasium.make("Pendulum-v1", g=9.0, max_episode_steps=30)
    return TimeAwareObservation(ClipAction(env), normalize_time=True)


ENVIRONMENTS = {
    "discrete": lambda: gymnasium.make("CartPole-v1"),
    "arguments": lambda: gymnasium.make("FrozenLake-v1", map_name="8x8", is_slippery=False),
    "a map": lambda: gymnasium.make("FrozenLake-v1", desc=["SFF", "FHF", "FFG"]),
    "wrappers": wrapped,
    "no time limit": lambda: gymnasium.make("Pendulum-v1").unwrapped,
    "flattened": lambda: FlattenObservation(gymnasium.make("Taxi-v3")),
}


@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_what_is_built_elsewhere_does_the_same(kind):
    if kind == "no time limit":
        env = gymnasium.make("Pendulum-v1", max_episode_steps=-1)
    else:
        env = ENVIRONMENTS[kind]()
    Benchmark.from_env(env, name="bench").save()
    loaded = Benchmark.load("bench")
    built = loaded.make()
    assert built.observation_space == env.observation_space == loaded.observation_space
    assert built.action_space == env.action_space == loaded.action_space
    same(play(env, 3, 60), play(built, 3, 60))
    assert loaded.verify().outcome == "identical"


def test_arguments_come_back_as_what_they_were(house):
    env, given = house
    made = Benchmark.from_env(env, name="house", metadata={"site": {"rooms": 4}}, difficulty="hard")
    made.save()
    bench = Benchmark.load("house")
    assert bench.specification.metadata == {"site": {"rooms": 4}}
    assert {entry.codec for entry in bench.specification.artifacts.values()} >= {
        "file",
        "array",
        "table",
        "bytes",
    }
    built = bench.make()
    back = built.unwrapped.given
    assert isinstance(back["weather"], Path)
    assert back["weather"].read_text() == given["weather"].read_text()
    assert back["weather"].is_relative_to(bench.directory)
    np.testing.assert_array_equal(back["prices"], given["prices"])
    assert back["prices"].dtype == np.float32
    pd.testing.assert_frame_equal(back["table"], given["table"], check_exact=True, check_freq=True)
    assert back["plan"] == given["plan"]
    assert isinstance(back["plan"]["owner"], tuple)
    assert back["blob"] == b"\x00\x01"
    same(play(env, 0, 30), play(built, 0, 30))


def test_the_environment_is_not_changed_and_its_attributes_are_never_written(house, tmp_path):
    env, given = house
    before = {name: copy.deepcopy(value) for name, value in given.items()}
    env.reset(seed=5)
    env.step(1)
    state = env.unwrapped.np_random.bit_generator.state
    Benchmark.from_env(env, name="house").save("shared")
    assert env.unwrapped.np_random.bit_generator.state == state
    env.step(1)  # its episode goes on
    pd.testing.assert_frame_equal(given["table"], before["table"])
    np.testing.assert_array_equal(given["prices"], before["prices"])
    everything = b"".join(path.read_bytes() for path in Path("shared").rglob("*") if path.is_file())
    assert b"secret" not in everything
    assert str(tmp_path).encode() not in everything


def test_the_identity_is_that_of_the_environment_and_the_protocol(house, tmp_path):
    env, given = house
    first = Benchmark.from_env(env, name="house")
    env.reset(seed=9)
    env.step(0)
    moved = tmp_path / "elsewhere" / "other name.csv"
    moved.parent.mkdir()
    moved.write_bytes(given["weather"].read_bytes())
    again = Benchmark.from_env(
        gymnasium.make("acme/House-v0", **{**given, "weather": moved}), name="other", description="More words"
    )
    assert again.identity == first.identity
    given["weather"].write_text("hour,degrees\n0,1.5\n1,2.6\n")
    other_file = Benchmark.from_env(gymnasium.make("acme/House-v0", **given), name="house")
    other_number = Benchmark.from_env(gymnasium.make("acme/House-v0", **given, steps=6), name="house")
    other_protocol = Benchmark.from_env(env, name="house", evaluation=EvaluationProtocol(episodes=3))
    identities = {bench.identity for bench in (first, other_file, other_number, other_protocol)}
    assert len(identities) == 4


def test_the_identity_is_the_same_in_another_process_and_after_a_round_trip(tmp_path):
    bench = Benchmark.from_env(wrapped(), name="pendulum")
    bench.save("there")
    script = (
        "import gymnasium\n"
        "from gymnasium.wrappers import ClipAction, TimeAwareObservation\n"
        "from pytupli_registry import Benchmark\n"
        "env = gymnasium.make('Pendulum-v1', g=9.0, max_episode_steps=30)\n"
        "env = TimeAwareObservation(ClipAction(env), normalize_time=True)\n"
        "env.reset(seed=1)\n"
        "print(Benchmark.from_env(env, name='mine').identity, Benchmark.load('./there').identity)\n"
    )
    assert run_in_another_process(script).split() == [bench.identity, bench.identity]


def test_loading_showing_and_data_import_nothing_that_is_named(house):
    env, _ = house
    Benchmark.from_env(env, name="house").save()
    script = (
        "import sys\n"
        "from pytupli_registry import Benchmark\n"
        "bench = Benchmark.load('house')\n"
        "bench.observation_space, bench.identity, bench.artifact('prices'), bench.artifact('plan') if 'plan' in "
        "bench.specification.artifacts else None\n"
        "print('acme_house' in sys.modules)\n"
        "try:\n"
        "    bench.make()\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
        "print('acme_house' in sys.modules)\n"
        "print(bench.make(allow=['acme_house']).unwrapped.secret)\n"
    )
    first, refusal, second, secret = run_in_another_process(script, home_of_module()).splitlines()
    assert (first, second, secret) == ("False", "False", "the secret of the house")
    assert refusal.startswith("ConsentRequired")
    assert "acme_house" in refusal


def home_of_module():
    return Path.cwd() / "lib"


def test_requirements_come_first_and_say_what_to_install(house):
    env, _ = house
    bench = Benchmark.from_env(env, name="house", requirements=["no-such-distribution[fast]>=2.1"])
    bench.save()
    with pytest.raises(RequirementsMissing, match=r"pip install 'no-such-distribution\[fast\]>=2.1'"):
        Benchmark.load("house").make(allow=["acme_house"])


def test_private_benchmarks_tell_the_interface_only(house):
    env, _ = house
    bench = Benchmark.from_env(env, name="closed", private=True, share=["weather"], description="Ask us")
    with Recorder(env, "closed/ours-v0", metadata=lambda episode: {"good": True}) as recorder:
        for seed in range(3):
            recorder.reset(seed=seed)
            while not any(recorder.step(seed % 2)[2:4]):
                pass
    bench.save()
    bench.save("shared", datasets=True)

    text = Path("shared/benchmark.json").read_text()
    for hidden in ("acme_house", "House", "prices", "blob", "secret"):
        assert hidden not in text
    metadata = json.loads(Path("shared/ours-v0/data/metadata.json").read_text())
    assert not metadata.get("env_spec")

    script = (
        "from pytupli_registry import Benchmark\n"
        "bench = Benchmark.load('./shared')\n"
        "print(bench.artifact('weather').read_text().splitlines()[0])\n"
        "bench.save(datasets=True, replace=True)\n"
        "try:\n"
        "    bench.make()\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, 'interface only' in str(error))\n"
        "import pytupli_d3rlpy\n"
        "dataset, env = pytupli_d3rlpy.load('closed/ours-v0', episodes='metadata.good')\n"
        "print(len(dataset.episodes), env)\n"
    )
    environment = run_in_another_process(
        script.replace(
            "import pytupli_d3rlpy", "import warnings\nwarnings.simplefilter('ignore')\nimport pytupli_d3rlpy"
        )
    )
    assert environment.splitlines()[-3:] == ["hour,degrees", "EnvironmentRefused True", "3 None"]


def test_what_was_not_recorded_has_to_be_told(house):
    env, given = house
    import acme_house

    direct = acme_house.House(**given)
    with pytest.raises(ArtifactError, match="Nobody recorded what arguments"):
        Benchmark.from_env(direct, name="house")
    bench = Benchmark.from_env(direct, name="house", arguments=given)
    assert bench.specification.environment.entry_point == "acme_house:House"
    with pytest.raises(ArtifactError, match="Undocumented does not say"):
        Benchmark.from_env(acme_house.Undocumented(env), name="house")
    with pytest.raises(ArtifactError, match="model"):
        Benchmark.from_env(env, name="house", arguments={**given, "options": {"model": object()}})
    with pytest.raises(ArtifactError, match="licence"):
        Benchmark.from_env(env, name="house", licence="x" * 300)


@pytest.mark.parametrize("name", ["data", "a", "../x", "with space", "", "x/y"])
def test_names_that_cannot_be(name):
    with pytest.raises((InvalidReference, ArtifactError)):
        Benchmark.from_env(gymnasium.make("CartPole-v1"), name=name)


def test_a_recorder_around_the_environment_is_left_out():
    with Recorder(gymnasium.make("CartPole-v1"), "any/thing-v0") as recorder:
        bench = Benchmark.from_env(recorder, name="pole")
        recorder.reset(seed=0)
        while not any(recorder.step(0)[2:4]):
            pass
    assert bench.identity == Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole").identity


def test_a_file_that_changes_before_the_save_is_noticed(house):
    env, given = house
    bench = Benchmark.from_env(env, name="house", rollouts=0)
    given["weather"].write_text("hour,degrees\n9,9\n")
    with pytest.raises(ArtifactError, match="chang"):
        bench.save("there")
    assert not Path("there/benchmark.json").exists()


def test_an_artifact_that_was_tampered_with_is_never_used(house):
    env, _ = house
    Benchmark.from_env(env, name="house").save()
    bench = Benchmark.load("house")
    path = next(path for path in bench.directory.glob("artifacts/*/*.csv"))
    path.write_bytes(path.read_bytes().replace(b"1.5", b"1.6"))
    with pytest.raises(FormatError, match="SHA-256"):
        bench.make()
    with pytest.raises(FormatError, match="SHA-256"):
        bench.artifact("weather")


def test_an_environment_that_changed_is_told_apart(house, tmp_path, monkeypatch):
    env, _ = house
    Benchmark.from_env(env, name="house").save()
    changed = tmp_path / "changed"
    changed.mkdir()
    (changed / "acme_house.py").write_text(
        MODULE.replace("float(action)", "float(action) if self._now < 3 else 0.5")
    )
    script = (
        "from pytupli_registry import Benchmark\n"
        "found = Benchmark.load('house').verify(allow=['acme_house'])\n"
        "print(found.outcome, found.drifts[0].first.step, found.drifts[0].first.leaf)\n"
    )
    assert run_in_another_process(script, changed).split() == ["different", "2", "rewards"]
    (changed / "acme_house.py").write_text(MODULE.replace("(2,)", "(3,)"))
    script = (
        "from pytupli_registry import Benchmark\n"
        "try:\n    Benchmark.load('house').make(allow=['acme_house'])\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    assert "another version of the environment" in run_in_another_process(script, changed)


def test_scores_are_measured_by_the_protocol_and_normalised():
    bench = Benchmark.from_env(
        gymnasium.make("CartPole-v1"), name="pole", evaluation=EvaluationProtocol(episodes=4, seed=7)
    )
    bench = bench.with_reference_scores(
        random=ReferenceScore(mean=20.0, source="measured"),
        expert=ReferenceScore(mean=500.0, source="measured"),
    )
    result = bench.evaluate(lambda observation: int(observation[2] + 0.3 * observation[3] > 0))
    env = gymnasium.make("CartPole-v1")
    returns = []
    for seed in range(7, 11):
        observation, _ = env.reset(seed=seed)
        total, done = 0.0, False
        while not done:
            observation, reward, terminated, truncated, _ = env.step(
                int(observation[2] + 0.3 * observation[3] > 0)
            )
            total, done = total + reward, terminated or truncated
        returns.append(total)
    assert [episode.total_return for episode in result.episodes] == returns
    assert result.normalised.mean.value == pytest.approx(100 * (np.mean(returns) - 20) / 480)
    assert result.benchmark.sha256 == bench.identity
    with pytest.raises(ArtifactError, match="no policy 'expert'"):
        bench.evaluate("expert")


def test_unbuildable_is_refused_with_the_reason(tmp_path, monkeypatch):
    (tmp_path / "broken_env.py").write_text(
        "import gymnasium\nclass Broken(gymnasium.Env):\n"
        "    def __init__(self, n=1):\n        if n == 1: raise RuntimeError('no licence')\n"
        "        self.observation_space = self.action_space = gymnasium.spaces.Discrete(2)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import broken_env

    with pytest.raises(EnvironmentRefused, match="no licence"):
        Benchmark.from_env(broken_env.Broken(2), name="broken", arguments={"n": 1})
