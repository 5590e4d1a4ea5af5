"""``pytupli benchmark`` and ``pytupli consent`` over a real store: what they print, and what they must never do."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from click.testing import CliRunner, Result

from pytupli_registry import Benchmark, Recorder, list_benchmarks
from pytupli_registry.benchmarks.reading import json_schema
from pytupli_registry.benchmarks.specification import ReferenceScore
from pytupli_registry.cli import main
from pytupli_registry.cli.benchmark import COMMANDS

PYTUPLI = str(Path(sys.executable).with_name("pytupli"))

MODULE = """
import os
from pathlib import Path
import gymnasium, numpy as np

if "PYTUPLI_TEST_CANARY" in os.environ:
    Path(os.environ["PYTUPLI_TEST_CANARY"]).write_text("the module was imported")

class Wind(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, wind, capacity=1.0):
        self.series, self.capacity = np.loadtxt(wind), capacity

    def _seen(self):
        return np.array([self.series[self.now % 3], self.np_random.uniform(-1, 1)], np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.now = 0
        return self._seen(), {}

    def step(self, action):
        self.now += 1
        return self._seen(), float(action) * self.capacity, self.now >= 7, False, {}

gymnasium.register("acme/CliWind-v0", "acme_cli:Wind", max_episode_steps=20)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path / "config"))
    monkeypatch.delenv("PYTUPLI_ALLOWED_MODULES", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def module(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own module, importable here, and the file that its environment reads."""
    (home / "lib").mkdir()
    (home / "lib" / "acme_cli.py").write_text(MODULE)
    (home / "wind.csv").write_text("0.1\n0.2\n0.5\n")
    monkeypatch.syspath_prepend(str(home / "lib"))
    monkeypatch.delitem(sys.modules, "acme_cli", raising=False)
    monkeypatch.delitem(gymnasium.registry, "acme/CliWind-v0", raising=False)
    return home / "lib" / "acme_cli.py"


def pytupli(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed, prog_name="pytupli")


def benchmark(*arguments: str, typed: str | None = None) -> Result:
    return pytupli("benchmark", *arguments, typed=typed)


def as_json(*arguments: str, code: int = 0) -> Any:
    result = pytupli(*arguments, "--json")
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def elsewhere(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a process that cannot import what this one can."""
    return subprocess.run(
        [PYTUPLI, *arguments], capture_output=True, text=True, env={**os.environ, **variables}, timeout=120
    )


def init_wind(*options: str) -> Result:
    return benchmark(
        "init",
        "acme_cli:acme/CliWind-v0",
        "--name=wind",
        "--file=wind=wind.csv",
        "--argument=capacity=2.5",
        *options,
    )


def init_cart(name: str = "cart", *options: str) -> Benchmark:
    made = benchmark("init", "CartPole-v1", f"--name={name}", "--rollouts=2", *options)
    assert made.exit_code == 0, made.stderr
    return Benchmark.load(name)


def record_cart(dataset_id: str, seeds: range = range(3)) -> None:
    with Recorder(gymnasium.make("CartPole-v1"), dataset_id, autoseed=True) as recorder:
        for seed in seeds:
            recorder.reset(seed=seed)
            recorder.action_space.seed(seed)
            while not any(recorder.step(recorder.action_space.sample())[2:4]):
                pass


def test_help_lists_every_command_and_every_command_has_help() -> None:
    listed = benchmark("--help")
    assert listed.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in listed.stdout
        helped = benchmark(name, "-h")
        assert helped.stdout.startswith(f"Usage: pytupli benchmark {name}")
    mistyped = benchmark("verfiy")
    assert (mistyped.exit_code, mistyped.stdout) == (2, "")
    assert "Did you mean 'verify'?" in mistyped.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["benchmark", "make", "--help"], ["consent", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from pytupli_registry.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "heavy = {'numpy', 'pyarrow', 'h5py', 'gymnasium', 'pandas', 'torch', 'rich', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_listing(home: Path) -> None:
    assert "no benchmarks yet" in benchmark("list").stdout
    assert as_json("benchmark", "list") == []
    cart = init_cart("cart", "--title=A cart", "--difficulty=easy")
    record_cart("cart/random-v0")
    (home / "datasets" / "broken").mkdir()
    (home / "datasets" / "broken" / "benchmark.json").write_text("{")
    broken, found = as_json("benchmark", "list")
    assert (found["name"], found["title"], found["environment"]) == ("cart", "A cart", "CartPole-v1")
    assert (found["difficulty"], found["datasets"], found["identity"]) == (
        "easy",
        ["random-v0"],
        cart.identity,
    )
    assert "it is not JSON" in broken["problem"]
    rows = benchmark("list").stdout.splitlines()
    assert rows[1].split()[0] == "broken"
    assert rows[2].split() == [
        "cart",
        "A",
        "cart",
        "CartPole-v1",
        "easy",
        "1",
        cart.identity[:12],
        "-",
    ]


def test_making_a_benchmark_says_what_was_found(home: Path, module: Path) -> None:
    made = init_wind(
        "--title=Wind",
        "--description=Blows.\nAnd blows.",
        "--tag=a",
        "--tag=b",
        "--author=Ada",
        "--licence=MIT",
        "--metadata",
        '{"site": [1, null]}',
        "--requirement=numpy>=1",
        "--max-episode-steps=5",
    )
    assert (made.exit_code, made.stderr) == (0, "")
    content = (home / "wind.csv").read_bytes()
    for part in (
        "acme_cli:Wind",
        "capacity  2.5",
        'wind      {"$artifact": "wind"}',
        hashlib.sha256(content).hexdigest()[:12],
        f"{len(content)} ",
        "numpy>=1",
        "gymnasium>=",
        "Box of float32 2, -1 to 1",
        "Discrete, 0 to 2",
        "3, recorded with python",
        "Blows.\n  And blows.",
        f"Wrote {home / 'datasets' / 'wind'}.",
    ):
        assert part in made.stdout
    said = Benchmark.load("wind").specification
    assert (said.title, said.tags, said.authors) == ("Wind", ("a", "b"), ("Ada",))
    assert (said.licence, said.metadata) == ("MIT", {"site": [1, None]})
    assert said.environment.max_episode_steps == 5
    stored = home / "datasets" / "wind" / said.artifacts["wind"].path
    assert stored.read_bytes() == content
    again = init_wind()
    assert again.exit_code == 1
    assert "--replace" in again.stderr
    assert Benchmark.load("wind").specification == said
    assert init_wind("--replace").exit_code == 0
    assert Benchmark.load("wind").specification.title == ""


def test_making_a_benchmark_in_a_directory_as_json(home: Path) -> None:
    made = as_json("benchmark", "init", "CartPole-v1", "--name", "cart", "--output", "here/it is")
    assert made["directory"] == str(home / "here" / "it is")
    assert made["specification"]["environment"]["id"] == "CartPole-v1"
    assert list_benchmarks() == []
    told = benchmark("init", "CartPole-v1", "--name=cart", "--output=here/it is", "--replace").stdout
    line = shlex.split(told.splitlines()[-1].removeprefix("Check it: "))
    assert pytupli(*line[1:]).exit_code == 0


def test_an_interface_alone_tells_nothing_else(home: Path, module: Path) -> None:
    made = init_wind("--private", "--share=wind")
    assert made.exit_code == 0, made.stderr
    text = (home / "datasets" / "wind" / "benchmark.json").read_text()
    for secret in ("acme", "Wind", "capacity", "2.5", str(home)):
        assert secret not in text
    assert "not shared" in made.stdout
    shown = as_json("benchmark", "show", "wind")
    assert shown["building"] == {"possible": False, "problem": "Its owner shares the interface only."}
    for command in (["make"], ["verify"], ["evaluate", "--policy=random"]):
        refused = benchmark(command[0], "wind", *command[1:])
        assert refused.exit_code == 1
        assert refused.stderr.startswith("Error: The benchmark 'wind' shares its interface only")
    assert benchmark("validate", "wind").exit_code == 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["NoSuch-v0"], 1, "'NoSuch-v0' cannot be built"),
        (["no_such_module:A-v0"], 1, "PYTHONPATH"),
        (["CartPole-v1", "--argument", "nonsense=1"], 1, "unexpected keyword argument 'nonsense'"),
        (["CartPole-v1", "--argument", "a=text"], 2, "'a=\"…\"'"),
        (["CartPole-v1", "--argument", "a"], 2, "KEY=VALUE"),
        (["CartPole-v1", "--argument", "a=1", "--argument", "a=2"], 2, "given twice"),
        (["CartPole-v1", "--argument", "max_episode_steps=2"], 2, "Gymnasium's own"),
        (["CartPole-v1", "--file", "a=nowhere.csv"], 2, "no file 'nowhere.csv'"),
        (["CartPole-v1", "--metadata", "[1]"], 2, "no JSON object"),
        (["CartPole-v1", "--metadata", "{"], 2, "no JSON"),
        (["CartPole-v1", "--share", "x"], 2, "--private"),
        (["CartPole-v1", "--private", "--share", "x"], 1, "no argument 'x'"),
        (["CartPole-v1", "--requirement", "https://evil.example/x.whl"], 1, "no requirement"),
        (["CartPole-v1", "--title", "\x1b[31m"], 1, "cannot be printed"),
        (["CartPole-v1", "--name", "a/b"], 1, "'a/b' is not a benchmark's name"),
    ],
)
def test_what_cannot_become_a_benchmark_is_said_in_one_sentence(
    home: Path, options: list[str], code: int, said: str
) -> None:
    name = [] if "--name" in options else ["--name", "made"]
    refused = benchmark("init", *options, *name)
    assert (refused.exit_code, refused.stdout) == (code, "")
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "\x1b" not in refused.stderr
    assert not (home / "datasets" / "made").exists()


def test_showing(home: Path) -> None:
    cart = init_cart("cart", "--citation=Barto 1983").with_reference_scores(
        random=ReferenceScore(mean=20.5, std=1, episodes=5, seed=3, source="measured")
    )
    record_cart("cart/random-v0")
    cart.save()
    record_cart("cart/later-v0")
    shown = as_json("benchmark", "show", "cart")
    assert shown["identity"] == cart.identity
    assert shown["specification"] == json.loads((home / "datasets/cart/benchmark.json").read_text())
    assert shown["datasets_here"] == ["later-v0", "random-v0"]
    assert shown["building"]["possible"] is True
    assert [run["permitted_by"] for run in shown["building"]["runs"]] == ["registered"]
    text = benchmark("show", "cart").stdout
    for part in (
        "Barto 1983",
        "20.5",
        "measured",
        "random-v0",
        "not listed",
        "[registered]",
        "seeds 10000 to",
    ):
        assert part in text
    assert text.splitlines()[-1] == "  pytupli benchmark make cart"


def test_showing_says_what_is_missing(home: Path) -> None:
    init_cart("cart", "--requirement=no-such-distribution>=2")
    shown = benchmark("show", "cart").stdout
    assert "no-such-distribution is missing" in shown
    assert "pip install 'no-such-distribution>=2'" in shown
    made = benchmark("make", "cart")
    assert made.exit_code == 1
    assert "Hint: pip install 'no-such-distribution>=2'" in made.stderr


def test_showing_and_listing_say_the_spaces_without_making_them(home: Path) -> None:
    init_cart()
    path = home / "datasets" / "cart" / "benchmark.json"
    said = json.loads(path.read_text())
    said["environment"]["observation_space"] = {
        "type": "Dict",
        "subspaces": {
            "camera": {"type": "Box", "dtype": "uint8", "shape": [96, 96, 3], "low": 0, "high": 255},
            "word": {"type": "Text", "max_length": 5, "min_length": 1, "charset": "ab"},
            "switches": {"type": "MultiBinary", "n": [2, 2]},
        },
    }
    path.write_text(json.dumps(said))
    text = benchmark("show", "cart").stdout
    assert (
        "camera Box of uint8 96 × 96 × 3, 0 to 255; word Text of up to 5 characters; switches MultiBinary 2 × 2"
        in text
    )


def test_making_and_verifying_what_is_registered() -> None:
    init_cart()
    made = as_json("benchmark", "make", "cart", "--steps=60")
    env = gymnasium.make("CartPole-v1")
    env.action_space.seed(0)
    env.reset(seed=0)
    rewards, ended = [], 0
    for _ in range(60):
        _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        rewards.append(reward)
        if terminated or truncated:
            ended += 1
            env.reset()
    assert (made["rewards"], made["episodes_ended"]) == (rewards, ended)
    assert ended > 0
    text = benchmark("make", "cart").stdout
    assert text.startswith(
        "Building 'CartPole-v1' runs:\n  gymnasium.envs.classic_control.cartpole:CartPoleEnv()"
    )
    assert "Took 10 random steps" in text
    dry = benchmark("make", "cart", "--dry-run")
    assert (dry.exit_code, dry.stdout.splitlines()[-1]) == (0, "Nothing was run.")
    verified = benchmark("verify", "cart")
    assert verified.exit_code == 0
    assert verified.stdout.startswith("identical: 2 rollouts, ")
    assert [line.split()[:2] for line in verified.stdout.splitlines()[2:]] == [
        ["0", "identical"],
        ["1", "identical"],
    ]


def test_verifying_a_dataset_tells_each_episode_and_ends_with_1_where_it_differs(home: Path) -> None:
    bench = init_cart()
    record_cart("cart/random-v0", range(4))
    found = as_json("benchmark", "verify", "cart", "--dataset", "random-v0", "--episodes", "2")
    assert (found["passed"], found["outcome"], [drift["episode"] for drift in found["drifts"]]) == (
        True,
        "identical",
        [0, 3],
    )
    heavy = json.loads((home / "datasets/cart/benchmark.json").read_text())
    heavy["environment"]["kwargs"] = {"sutton_barto_reward": True}
    (home / "datasets/cart/benchmark.json").write_text(json.dumps(heavy))
    assert Benchmark.load("cart").identity != bench.identity
    verified = benchmark("verify", "cart", "--dataset", "random-v0")
    assert verified.exit_code == 1
    assert verified.stdout.startswith("different: ")
    assert "rewards, step 0" in verified.stdout
    loose = benchmark("verify", "cart", "--dataset", "random-v0", "--absolute", "2")
    assert (loose.exit_code, loose.stdout.startswith("within tolerance")) == (0, True)
    assert benchmark("verify", "cart", "--episodes", "1").exit_code == 2
    assert benchmark("verify", "cart", "--dataset", "rondom-v0").exit_code == 1


def test_what_has_no_seed_or_no_rollouts_is_not_verified() -> None:
    init_cart("cart", "--rollouts=0")
    nothing = benchmark("verify", "cart")
    assert nothing.exit_code == 1
    assert "no recorded rollouts" in nothing.stderr
    with Recorder(gymnasium.make("CartPole-v1"), "cart/seedless-v0", autoseed=False) as recorder:
        recorder.reset()
        while not any(recorder.step(0)[2:4]):
            pass
    verified = benchmark("verify", "cart", "--dataset", "seedless-v0")
    assert verified.exit_code == 1
    assert verified.stdout.startswith("not replayable: 1 episode without a seed")


@pytest.mark.slow
def test_code_that_came_along_runs_only_with_consent(home: Path, module: Path) -> None:
    assert init_wind("--code", str(module)).exit_code == 0
    sha256 = Benchmark.load("wind").specification.artifacts["code"].sha256
    canary = home / "canary"
    for arguments in (["show", "wind"], ["validate", "wind"], ["list"]):
        done = elsewhere("benchmark", *arguments, PYTUPLI_TEST_CANARY=str(canary))
        assert (done.returncode, done.stderr) == (0, "")
    for arguments in (["make"], ["make", "--allow=acme_cli"], ["verify"], ["evaluate", "--policy", "random"]):
        done = elsewhere("benchmark", *arguments, "wind", PYTUPLI_TEST_CANARY=str(canary))
        assert done.returncode == 1
        assert "nobody consented to run it here" in done.stderr
        assert "import of acme_cli.py  [not permitted yet]" in done.stdout + done.stderr
        assert f"--consent {sha256}`" in done.stderr
        line = shlex.split(done.stderr.split("`")[1])
    assert line == [
        *["pytupli", "benchmark", "evaluate", "wind", "--policy", "random"],
        *["--consent", sha256],
    ]
    assert not canary.exists()
    done = elsewhere(
        "benchmark",
        "make",
        "wind",
        "--consent",
        sha256.upper(),
        "--remember",
        PYTUPLI_TEST_CANARY=str(canary),
    )
    assert done.returncode == 0, done.stderr
    assert f"[consented code {sha256[:12]}]" in done.stdout
    assert canary.exists()
    assert [entry["sha256"] for entry in as_json("consent", "list")] == [sha256]
    verified = elsewhere("benchmark", "verify", "wind")
    assert (verified.returncode, verified.stdout.splitlines()[0]) == (0, "identical: 3 rollouts, 21 steps")


def test_an_installed_module_that_registers_nothing_has_to_be_allowed(home: Path, module: Path) -> None:
    assert init_wind().exit_code == 0
    gymnasium.registry.pop("acme/CliWind-v0")
    del sys.modules["acme_cli"]
    refused = benchmark("make", "wind")
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1].endswith("`pytupli benchmark make wind --allow acme_cli`")
    assert "acme_cli" not in sys.modules
    assert "pytupli benchmark make wind --allow acme_cli" in benchmark("show", "wind").stdout
    assert benchmark("make", "wind", "--allow", "acme_cli", "--dry-run").exit_code == 0
    assert "acme_cli" not in sys.modules
    assert benchmark("make", "wind", "--allow", "acme_cli").exit_code == 0


def test_consents_are_remembered_only_for_what_is_there(home: Path, module: Path) -> None:
    assert init_wind("--code", str(module)).exit_code == 0
    wrong = benchmark("make", "wind", "--allow", "acme_cli", "--consent", "0" * 64, "--remember")
    assert wrong.exit_code == 1
    assert "has the hash" in wrong.stderr
    assert benchmark("make", "wind", "--remember").exit_code == 2
    assert benchmark("make", "wind", "--consent", "x").exit_code == 1
    assert "No consent is remembered" in pytupli("consent", "list").stdout
    sha256 = Benchmark.load("wind").specification.artifacts["code"].sha256
    assert benchmark("make", "wind", "--consent", sha256, "--remember").exit_code == 0
    (row,) = pytupli("consent", "list").stdout.splitlines()[1:]
    assert row.split()[0] == sha256
    assert "'code' of the benchmark 'wind'" in row
    for unknown in ("0" * 64, sha256[:5], "\x1b[31m"):
        refused = pytupli("consent", "forget", unknown)
        assert refused.exit_code == 1
        assert "\x1b" not in refused.stderr
    assert as_json("consent", "forget", sha256[:16]) == {"forgotten": sha256}
    assert as_json("consent", "list") == []


def test_scores_are_told_with_intervals_written_and_reproduced(home: Path) -> None:
    bench = init_cart()
    told = benchmark("evaluate", "cart", "--policy=random", "--episodes=4", "--output=result.json")
    assert told.exit_code == 0
    assert "no normalised score" in told.stdout
    score = bench.evaluate("random", episodes=4)
    assert json.loads((home / "result.json").read_text()) == json.loads(score.to_json())
    mean = score.returns.mean
    assert f"{mean.value:.5g} [{mean.low:.5g}, {mean.high:.5g}]" in told.stdout
    bench.with_reference_scores(random=ReferenceScore(mean=10), expert=ReferenceScore(mean=500)).save()
    again = as_json("benchmark", "evaluate", "cart", "--policy=random", "--check=result.json", "--lanes=1")
    assert again["reproduction"]["outcome"] == "identical"
    normalised = again["evaluation"]["normalised"]["mean"]["value"]
    assert normalised == pytest.approx(100 * (mean.value - 10) / 490)
    changed = json.loads((home / "result.json").read_text())
    changed["protocol"]["seed"] += 1
    for episode in changed["episodes"]:
        episode["seed"] += 1
    (home / "other.json").write_text(json.dumps(changed))
    different = benchmark("evaluate", "cart", "--policy=random", "--check=other.json")
    assert different.exit_code == 1
    assert "Reproduction – different" in different.stdout


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--policy", "expret"], 1, "no policy 'expret'"),
        (["--policy", "nowhere.d3"], 2, "no file 'nowhere.d3'"),
        pytest.param(
            ["--policy", "policy.zip"], 1, "Nothing installed knows policies", marks=pytest.mark.slow
        ),  # asks every plugin
        (["--policy", "random", "--check", "junk.json"], 1, "it is no evaluation"),
        (["--policy", "random", "--check", "none.json"], 2, "none.json"),
        (["--policy", "random", "--output", "nowhere/result.json"], 2, "no directory 'nowhere'"),
        (["--policy", "random", "--episodes", "0"], 2, "--episodes"),
    ],
)
def test_what_cannot_be_evaluated(home: Path, options: list[str], code: int, said: str) -> None:
    init_cart()
    (home / "junk.json").write_text('{"format": "pytupli-evaluation", "format_version": 1}')
    (home / "policy.zip").write_bytes(b"PK")
    refused = benchmark("evaluate", "cart", *options)
    assert (refused.exit_code, refused.stdout) == (code, "")
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_differences_are_told_and_counted() -> None:
    init_cart("one", "--title=One")
    init_cart("two", "--title=Two", "--argument=sutton_barto_reward=true")
    found = benchmark("diff", "one", "two")
    assert found.exit_code == 1
    rows = {line.split()[0]: line.split()[1:] for line in found.stdout.splitlines()[1:-1]}
    assert rows["title"] == ["One", "Two", "changed"]
    assert rows["environment.kwargs.sutton_barto_reward"] == ["-", "yes", "added"]
    assert "identities differ" in found.stdout
    same = benchmark("diff", "one", "one")
    assert (same.exit_code, same.stdout) == (0, "There is no difference.\n")
    document = as_json("benchmark", "diff", "one", "two", code=1)
    assert document["same_identity"] is False
    assert {"where": "title", "first": "One", "second": "Two", "kind": "changed"} in document["differences"]


def test_deleting_asks_first_and_leaves_the_data(home: Path) -> None:
    init_cart()
    record_cart("cart/random-v0")
    kept = benchmark("delete", "cart", typed="n\n")
    assert (kept.exit_code, len(list_benchmarks())) == (0, 1)
    assert "but not its 1 datasets" in kept.stderr
    unanswered = benchmark("delete", "cart", typed="")
    assert (unanswered.exit_code, len(list_benchmarks())) == (2, 1)
    assert benchmark("delete", "cart", typed="y\n").exit_code == 0
    assert list_benchmarks() == []
    assert (home / "datasets" / "cart" / "random-v0" / "data" / "main_data.hdf5").is_file()
    init_cart()
    gone = as_json("benchmark", "delete", "cart", "--datasets", "--yes")
    assert gone["datasets"] == ["random-v0"]
    assert not (home / "datasets" / "cart").exists()
    missing = benchmark("delete", "cart", "--yes")
    assert (missing.exit_code, missing.stdout) == (1, "")


def test_validating_tells_every_benchmark(home: Path) -> None:
    assert benchmark("validate").exit_code == 2
    assert "no benchmarks yet" in benchmark("validate", "--all").stdout
    init_cart("one")
    record_cart("two/random-v0")
    init_cart("two")
    shutil.rmtree(home / "datasets" / "one" / "artifacts")
    result = benchmark("validate", "--all", "--datasets", "--no-adapters")
    assert result.exit_code == 1
    assert "one: not ok; errors: 1, " in result.stdout
    assert "the artifact is missing" in result.stdout
    assert "two: ok; errors: 0, " in result.stdout
    assert benchmark("validate", "two").exit_code == 0
    report = as_json("benchmark", "validate", "./datasets/two")
    assert (report["ok"], report["name"], report["datasets_checked"]) == (True, "two", 1)
    first, second = json.loads(benchmark("validate", "one", "two", "--json").stdout)
    assert (first["reference"], first["ok"], second["reference"], second["ok"]) == ("one", False, "two", True)
    assert benchmark("validate", "tow").exit_code == 1


def test_the_schema() -> None:
    assert json.loads(benchmark("schema").stdout) == json.loads(json.dumps(json_schema()))


def test_names_are_completed() -> None:
    init_cart()
    done = elsewhere(_PYTUPLI_COMPLETE="bash_complete", COMP_WORDS="pytupli benchmark show c", COMP_CWORD="3")
    assert done.stdout.strip() == "plain,cart"


# What strangers may send.


def hostile(home: Path, **environment: Any) -> Path:
    """Write a benchmark by hand; its words come from the format's description and from no code of ours."""
    space = {"type": "Box", "dtype": "float32", "shape": [2], "low": -1, "high": 1}
    said = {
        "format": "pytupli-benchmark",
        "format_version": 1,
        "name": "evil",
        "environment": {
            "id": "Evil-v0",
            "entry_point": "os:system",
            "kwargs": {},
            "observation_space": space,
            "action_space": {"type": "Discrete", "dtype": "int64", "n": 2},
            **environment,
        },
    }
    directory = home / "datasets" / "evil"
    directory.mkdir(parents=True)
    (directory / "benchmark.json").write_text(json.dumps(said))
    return directory


def edit(directory: Path, **changes: Any) -> None:
    path = directory / "benchmark.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def every_command(reference: str = "evil") -> list[Result]:
    """Run everything that reads a benchmark, permitting what can be permitted."""
    permit = ("--allow", "os", "--allow", "subprocess", "--allow", "acme_evil")
    results = [benchmark("list"), benchmark("show", reference), benchmark("validate", reference)]
    results += [benchmark(*command, reference, *permit) for command in (["make"], ["verify"])]
    results.append(benchmark("evaluate", reference, "--policy", "random", *permit))
    for result in results:
        assert result.exit_code in {0, 1}, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        assert not set(result.output) & set("\x1b\x07\u202e\u200b"), "it steers the terminal"
    assert all(result.exit_code == 1 for result in results[3:])
    assert all(result.stderr.count("Error: ") == 1 for result in results[3:])
    return results


@pytest.mark.parametrize(
    "environment",
    [
        {"entry_point": "os:system", "kwargs": {"command": "touch canary"}},
        {"entry_point": "subprocess:Popen", "kwargs": {"args": ["touch", "canary"]}},
        {"entry_point": "builtins:exec", "kwargs": {"source": "open('canary', 'w')"}},
        {"entry_point": "pathlib:Path.write_text", "kwargs": {"self": "canary", "data": "x"}},
        {"entry_point": "acme_evil:Evil"},
        {"id": "CartPole-v1", "entry_point": "acme_evil:Evil"},
        {"id": "CartPole-v1", "entry_point": "gymnasium:make", "kwargs": {"id": "acme_evil:Evil-v0"}},
        {
            "id": "CartPole-v1",
            "entry_point": "gymnasium.envs.classic_control.cartpole:CartPoleEnv",
            "wrappers": [{"name": "W", "entry_point": "os:system", "kwargs": {"command": "touch canary"}}],
        },
        {
            "id": "CartPole-v1",
            "entry_point": "gymnasium.envs.classic_control.cartpole:CartPoleEnv",
            "wrappers": [
                {
                    "name": "W",
                    "entry_point": "gymnasium.wrappers:RecordVideo",
                    "kwargs": {"video_folder": "canary"},
                }
            ],
        },
    ],
)
def test_nothing_that_data_names_runs(home: Path, environment: dict[str, Any]) -> None:
    hostile(home, **environment)
    (home / "acme_evil.py").write_text("open('canary', 'w').close()\n")
    every_command()
    assert not (home / "canary").exists()
    assert "acme_evil" not in sys.modules


def test_texts_cannot_steer_the_terminal(home: Path) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\u202egpj.exe\u200b [bold]not markup[/bold]"
    directory = hostile(home, kwargs={evil: evil})
    edit(
        directory,
        description=evil,
        citation=evil,
        metadata={evil: evil},
        reference_scores={"random": {"mean": 1, "source": evil}},
    )
    shown = every_command()[1].stdout
    assert "[bold]not markup[/bold]" in shown
    edit(directory, title=evil, name=evil)
    listed, *_ = every_command()
    assert "title: it holds characters that cannot be printed" in listed.stdout


def test_a_directory_name_cannot_steer_the_terminal(home: Path) -> None:
    directory = hostile(home)
    directory.rename(home / "datasets" / "e\x1b[31m\nvil")
    listed = benchmark("list")
    assert listed.exit_code == 0
    assert "\x1b" not in listed.stdout
    checked = benchmark("validate", "--all")
    assert "\x1b" not in checked.stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"format_version": 0}, "never released"),
        ({"format_version": "1"}, "no format version"),
        ({"format": "pickle"}, "it is no benchmark"),
        ({"py/object": "os.system"}, "py/object"),
        (
            {"artifacts": {"a": {"sha256": "0" * 64, "size": 1, "codec": "file", "file_name": "../../x"}}},
            "file_name",
        ),
        ({"artifacts": {"a": {"sha256": "../x", "size": 1, "codec": "file", "file_name": "x"}}}, "sha256"),
        ({"rollouts": {"artifact": "none", "episodes": 1}}, "not listed under artifacts"),
        ({"requirements": [{"requirement": "x @ https://evil.example/x.whl"}]}, "requirement"),
        ({"environment": None}, "environment"),
    ],
)
def test_a_file_that_says_what_it_may_not(home: Path, changes: dict[str, Any], said: str) -> None:
    edit(hostile(home), **changes)
    listed, shown, checked, *_ = every_command()
    assert (listed.exit_code, shown.exit_code, checked.exit_code) == (0, 1, 1)
    for text in (listed.stdout, shown.stderr, checked.stdout):
        assert said in text


def test_a_file_of_a_gigabyte_is_not_read(home: Path) -> None:
    directory = hostile(home)
    with (directory / "benchmark.json").open("r+b") as file:
        file.truncate(1 << 30)
    listed, shown, *_ = every_command()
    assert "larger than" in listed.stdout
    assert "larger than" in shown.stderr


@pytest.mark.parametrize(
    "text", ["[" * 5_000_000, '{"a":' * 1_000_000, "\xff\xfe", "", "1e999999", "9" * 10_000]
)
def test_a_file_that_is_not_json_or_nested_without_end(home: Path, text: str) -> None:
    directory = hostile(home)
    (directory / "benchmark.json").write_bytes(text.encode("latin1"))
    assert every_command()[1].exit_code == 1


def test_a_directory_full_of_junk(home: Path) -> None:
    directory = hostile(home)
    (directory / "artifacts" / "a" / "b").mkdir(parents=True)
    for number in range(500):
        (directory / "artifacts" / "a" / "b" / f"{number}\x1b[31m").write_bytes(b"x")
    os.mkfifo(directory / "artifacts" / "pipe")
    os.mkfifo(directory / "README.md")
    (directory / "loop").symlink_to(directory)
    (directory / "mixed-v0" / "data").mkdir(parents=True)
    (directory / "mixed-v0" / "data" / "main_data.hdf5").symlink_to("/dev/zero")
    checked = every_command()[2]
    assert checked.exit_code == 1
    assert "nothing in benchmark.json names this file" in checked.stdout
    assert "it is a link" in checked.stdout


@pytest.mark.parametrize("place", ["file", "directory", "home"])
def test_links_are_not_followed_out_of_a_benchmark(home: Path, place: str) -> None:
    secret = home / "secret.txt"
    secret.write_text("the secret\n")
    sha256 = hashlib.sha256(secret.read_bytes()).hexdigest()
    registered = "gymnasium.envs.classic_control.cartpole:CartPoleEnv"
    directory = hostile(
        home, id="CartPole-v1", entry_point=registered, kwargs={"sutton_barto_reward": {"$artifact": "a"}}
    )
    entry = {"sha256": sha256, "size": secret.stat().st_size, "codec": "json", "file_name": "secret.txt"}
    edit(directory, artifacts={"a": entry})
    away = home / "away" / sha256[:16]
    away.mkdir(parents=True)
    shutil.copy(secret, away)
    if place == "home":
        (directory / "artifacts").symlink_to(away.parent)
    elif place == "directory":
        (directory / "artifacts").mkdir()
        (directory / "artifacts" / sha256[:16]).symlink_to(away)
    else:
        (directory / "artifacts" / sha256[:16]).mkdir(parents=True)
        (directory / "artifacts" / sha256[:16] / "secret.txt").symlink_to(secret)
    results = every_command()
    assert results[2].exit_code == 1
    assert all("the secret" not in result.output for result in results)
    assert "link" in results[3].stderr


def test_an_artifact_of_another_hash_is_not_used(home: Path) -> None:
    registered = "gymnasium.envs.classic_control.cartpole:CartPoleEnv"
    directory = hostile(
        home, id="CartPole-v1", entry_point=registered, kwargs={"sutton_barto_reward": {"$artifact": "a"}}
    )
    entry = {"sha256": "0" * 64, "size": 4, "codec": "json", "file_name": "a.json"}
    edit(directory, artifacts={"a": entry})
    (directory / "artifacts" / ("0" * 16)).mkdir(parents=True)
    (directory / "artifacts" / ("0" * 16) / "a.json").write_text("true")
    results = every_command()
    assert "SHA-256" in results[3].stderr
    assert "It cannot be built here" in results[1].stdout


def test_references_that_are_no_benchmarks() -> None:
    for reference in (
        "hf://acme/hvac",
        "acme/hvac/summer-v0",
        "../../etc",
        "./nowhere",
        "\x1b[31m",
        "a" * 5000,
    ):
        for command in ("show", "make", "delete", "validate"):
            refused = benchmark(command, reference)
            assert (refused.exit_code, refused.stdout) == (1, "")
            assert refused.stderr.startswith("Error: ")
            assert "\x1b" not in refused.stderr
