"""The command line over a real store: what it prints, to whom, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result
from gymnasium import spaces

from pytupli_registry import api
from pytupli_registry.cli import main
from pytupli_registry.cli.group import COMMANDS
from pytupli_registry.dataset.episode import Episode

PYTUPLI = str(Path(sys.executable).with_name("pytupli"))


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    return tmp_path / "datasets"


def pytupli(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed, prog_name="pytupli")


def as_json(*arguments: str) -> Any:
    result = pytupli(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def write(
    dataset_id: str = "acme/first-v0", lengths: tuple[int, ...] = (3, 5, 2), **changes: Any
) -> list[Episode]:
    rng = np.random.default_rng(0)
    episodes = [
        Episode(
            observations=rng.uniform(-1, 1, (length + 1, 2)).astype(np.float32),
            actions=rng.integers(0, 3, length),
            rewards=rng.integers(0, 3, length).astype(np.float64),
            terminations=np.arange(length) == length - 1,
            truncations=np.zeros(length, dtype=np.bool_),
            **{"metadata": {"month": ("June", "July")[number % 2]}, **changes},
        )
        for number, length in enumerate(lengths)
    ]
    api.write(
        dataset_id,
        episodes,
        observation_space=spaces.Box(-1, 1, (2,), np.float32),
        action_space=spaces.Discrete(3),
    )
    return episodes


def test_help_lists_every_command_and_every_command_has_help() -> None:
    listed = pytupli("--help")
    assert listed.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in listed.stdout
        helped = pytupli(name, "-h")
        assert helped.exit_code == 0
        assert helped.stdout.startswith(f"Usage: pytupli {name}")


def test_listing() -> None:
    assert "no datasets yet" in pytupli("list").stdout
    assert as_json("list") == []
    write("acme/first-v0")
    write("second-v1", (4,))
    rows = pytupli("list").stdout.splitlines()
    assert rows[0].split() == ["dataset", "episodes", "steps", "bytes", "environment", "problem"]
    assert [row.split()[:3] for row in rows[1:]] == [["acme/first-v0", "3", "10"], ["second-v1", "1", "4"]]
    first, second = as_json("list")
    assert (first["dataset_id"], first["episodes"], first["steps"]) == ("acme/first-v0", 3, 10)
    assert second["bytes"] > 0


def test_json_may_be_asked_for_before_or_after_the_command() -> None:
    write()
    before, after = pytupli("--json", "show", "acme/first-v0"), pytupli("show", "acme/first-v0", "--json")
    assert json.loads(before.stdout) == json.loads(after.stdout)


def test_showing_what_a_dataset_holds() -> None:
    episodes = write()
    shown = as_json("show", "acme/first-v0")
    returns = [episode.total_return for episode in episodes]
    assert shown["returns"]["mean"] == pytest.approx(np.mean(returns))
    assert (shown["episodes"], shown["steps"], shown["transitions"]) == (3, 10, 10)
    assert shown["leaves"]["observations"] == "float32 2"
    human = pytupli("show", "acme/first-v0", "--episodes", "month == 'June'").stdout
    assert "2 of 3" in human
    assert "metadata.month" in human


def test_previewing_transitions() -> None:
    episodes = write()
    rows = as_json("preview", "acme/first-v0", "-n", "4")
    assert [(row["episode"], row["step"]) for row in rows] == [(0, 0), (0, 1), (0, 2), (1, 0)]
    for row in rows:
        source = episodes[row["episode"]]
        np.testing.assert_array_equal(np.float32(row["observation"]), source.observations[row["step"]])
        np.testing.assert_array_equal(
            np.float32(row["next_observation"]), source.observations[row["step"] + 1]
        )
        assert row["action"] == source.actions[row["step"]]
        assert row["terminated"] is bool(source.terminations[row["step"]])
    kept = as_json("preview", "acme/first-v0", "-n", "100", "--steps", "reward > 0")
    assert len(kept) == sum(int((episode.rewards > 0).sum()) for episode in episodes)
    assert len(pytupli("preview", "acme/first-v0", "-n", "2").stdout.splitlines()) == 3
    assert "Nothing is left" in pytupli("preview", "acme/first-v0", "--episodes", "length > 99").stdout


def test_previewing_episodes() -> None:
    episodes = write()
    rows = as_json("preview", "acme/first-v0", "--by-episode", "-n", "2")
    assert [(row["length"], row["metadata.month"]) for row in rows] == [(3, "June"), (5, "July")]
    assert rows[1]["total_return"] == episodes[1].total_return
    assert rows[0].get("seed") is None


def test_filtering_shows_what_stays_and_saves_it() -> None:
    episodes = write()
    result = as_json("filter", "acme/first-v0", "--episodes", "length >= 3", "--save", "acme/long-v0")
    assert (result["before"]["episodes"], result["after"]["episodes"]) == (3, 2)
    assert result["after"]["episode_filter"] == "length >= 3"
    assert result["saved"] == "acme/long-v0"
    saved = api.load("acme/long-v0")
    for found, wanted in zip(saved, episodes[:2], strict=True):
        np.testing.assert_array_equal(found.observations, wanted.observations)
    human = pytupli("filter", "acme/first-v0", "--steps", "reward > 0")
    assert [line.split()[0] for line in human.stdout.splitlines()[1:]] == ["before", "after"]
    assert [stored.dataset_id for stored in api.list_datasets()] == ["acme/first-v0", "acme/long-v0"]


def test_recording_with_a_seed_can_be_repeated() -> None:
    for dataset_id in ("cart/one-v0", "cart/two-v0"):
        arguments = ("record", "CartPole-v1", dataset_id, "--episodes", "3", "--seed", "7", "--author", "ada")
        assert as_json(*arguments) == {"dataset_id": dataset_id, "episodes": 3}
    one, two = api.load("cart/one-v0"), api.load("cart/two-v0")
    for first, second in zip(one, two, strict=True):
        for path, values in first.leaves().items():
            np.testing.assert_array_equal(values, second.leaves()[path])
    assert one.fields["seed"].values.tolist() == [7, 8, 9]
    assert one.fields["policy"].values.tolist() == ["random"] * 3
    assert one.metadata.extra["author"] == "ada"
    env = gymnasium.make("CartPole-v1")
    for episode in one:
        seen = [env.reset(seed=episode.seed)[0], *(env.step(action)[0] for action in episode.actions)]
        np.testing.assert_array_equal(np.array(seen), episode.observations)
    assert pytupli("record", "CartPole-v1", "cart/one-v0").exit_code == 1
    assert pytupli("record", "CartPole-v1", "cart/one-v0", "--episodes", "1", "--append").exit_code == 0
    assert api.load("cart/one-v0").episode_count == 4


def test_recording_a_constant_policy() -> None:
    common = (
        "record",
        "Pendulum-v1",
        "swing/still-v0",
        "--policy",
        "constant",
        "--max-steps",
        "6",
        "--episodes",
        "2",
    )
    assert pytupli(*common).exit_code == 2
    for wrong in ("[9]", "{", "[0, 0]", '"x"'):
        assert pytupli(*common, "--action", wrong).exit_code == 2
    assert pytupli(*common, "--action", "[0.5]").exit_code == 0
    assert (
        pytupli("record", "CartPole-v1", "cart/still-v0", "--policy", "constant", "--action", "0.5").exit_code
        == 2
    )
    dataset = api.load("swing/still-v0")
    assert dataset.fields["length"].values.tolist() == [6, 6]
    np.testing.assert_array_equal(dataset.column("actions"), np.full((12, 1), 0.5, np.float32))


def test_importing(tmp_path: Path) -> None:
    write()
    copied = as_json("import", str(tmp_path / "datasets" / "acme" / "first-v0"), "--as", "acme/copy-v0")
    assert copied == {"dataset_id": "acme/copy-v0", "episodes": 3, "steps": 10}
    assert "Imported acme/first-v0: 3 episodes, 10 steps." in pytupli("import", "acme/first-v0").stdout
    assert pytupli("import", str(tmp_path / "nowhere")).exit_code == 1


def test_repacking() -> None:
    episodes = write()
    api.append("acme/first-v0", episodes)
    assert as_json("repack", "acme/first-v0") == {"dataset_id": "acme/first-v0", "episodes": 6}
    assert "Repacked acme/first-v0." in pytupli("repack", "acme/first-v0").stdout


def test_validating() -> None:
    write("acme/first-v0")
    write("acme/second-v0", (3, 2))
    report = as_json("validate", "acme/first-v0", "--no-adapters")
    assert (report["ok"], report["transitions_checked"], report["problems"]) == (True, 10, [])
    with h5py.File(Path(api.load("acme/second-v0").source) / "main_data.hdf5", "a") as file:
        file["episode_1/rewards"][1] = np.nan
    result = pytupli("validate", "--all", "--no-adapters")
    assert result.exit_code == 1
    assert "acme/first-v0: ok;" in result.stdout
    assert "acme/second-v0: not ok;" in result.stdout
    assert "episode_1/rewards[1]" in result.stdout
    result = pytupli(
        "validate", str(Path(api.load("acme/second-v0").source).parent), "--no-adapters", "--json"
    )
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False
    assert pytupli("validate").exit_code == 2
    assert pytupli("validate", "acme/first-v0", "--all").exit_code == 2


def test_validating_all_does_not_stop_at_one_that_cannot_be_opened(root: Path) -> None:
    write()
    write("acme/second-v0")
    (root / "acme" / "first-v0" / "data" / "main_data.hdf5").write_bytes(b"no HDF5")
    checked = pytupli("validate", "--all", "--no-adapters", "--json")
    first, second = json.loads(checked.stdout)
    assert checked.exit_code == 1
    assert (first["reference"], first["ok"], second["ok"]) == ("acme/first-v0", False, True)
    assert "cannot be opened" in first["problems"][0]["message"]
    assert first.keys() == second.keys()


def test_deleting_asks_first() -> None:
    write()
    kept = pytupli("delete", "acme/first-v0", typed="n\n")
    assert (kept.exit_code, api.list_datasets() != []) == (0, True)
    assert "Delete acme/first-v0" in kept.stderr
    unanswered = pytupli("delete", "acme/first-v0", typed="")
    assert (unanswered.exit_code, api.list_datasets() != []) == (2, True)
    assert "--yes" in unanswered.stderr
    missing = pytupli("delete", "acme/frist-v0", typed="y\n")
    assert (missing.exit_code, "Delete acme" in missing.stderr) == (1, False)
    assert "Did you mean 'acme/first-v0'?" in missing.stderr
    assert pytupli("delete", "acme/first-v0", typed="y\n").exit_code == 0
    assert api.list_datasets() == []
    write()
    assert as_json("delete", "acme/first-v0", "--yes") == {"deleted": "acme/first-v0"}
    assert pytupli("delete", "acme/first-v0", "--yes").exit_code == 1


def test_a_dataset_that_cannot_be_read_is_listed_and_can_be_deleted(root: Path) -> None:
    write()
    (root / "acme" / "first-v0" / "data" / "metadata.json").write_text("{")
    (row,) = as_json("list")
    assert "not JSON" in row["problem"]
    assert pytupli("delete", "acme/first-v0", "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("show", "acme/frist-v0"),
            1,
            ["There is no dataset 'acme/frist-v0'", "Hint: Did you mean 'acme/first-v0'?"],
        ),
        (("show", "../etc"), 1, ["is not a dataset reference"]),
        (("show", "hf://acme/first-v0"), 1, ["names no repository", "Hint: There it begins with"]),
        (("filter", "acme/first-v0", "--episodes", "lenght > 1"), 1, ["  lenght > 1\n  ^\n", "'length'"]),
        (("filter", "acme/first-v0", "--episodes", "length >"), 1, ["Error: "]),
        (("filter", "acme/first-v0"), 2, ["--episodes"]),
        (("preview", "acme/first-v0", "-n", "0"), 2, ["-n"]),
        (("shwo",), 2, ["Did you mean 'show'?"]),
        (("record", "NoSuch-v0", "a/b-v0"), 1, ["'NoSuch-v0' cannot be built"]),
        (("recover", "nothing"), 1, ["no such spool"]),
        (("recover", "--discard"), 2, ["Name the recording"]),
    ],
)
def test_errors_are_one_sentence_on_stderr_and_an_exit_code(
    arguments: tuple[str, ...], code: int, said: list[str]
) -> None:
    write()
    result = pytupli(*arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    for part in said:
        assert part in result.stderr
    assert "Traceback" not in result.stderr


def test_errors_as_json_go_to_stderr() -> None:
    result = pytupli("--json", "show", "acme/none-v0")
    assert (result.exit_code, result.stdout) == (1, "")
    error = json.loads(result.stderr)["error"]
    assert error["type"] == "DatasetNotFound"
    assert set(error) == {"type", "message", "hint"}


def test_data_cannot_steer_the_terminal() -> None:
    write(metadata={"month": "\x1b[31mred\x1b[0m [bold]not markup[/bold] \u202eevil"})
    shown = pytupli("preview", "acme/first-v0", "--by-episode").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]not markup[/bold]" in shown


def test_numbers_that_json_cannot_hold_are_null() -> None:
    write()
    empty = as_json("show", "acme/first-v0", "--episodes", "length > 99")
    assert empty["returns"] == {"minimum": None, "mean": None, "median": None, "maximum": None}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    script = pytupli("completion", shell)
    assert script.exit_code == 0
    assert "_PYTUPLI_COMPLETE" in script.stdout


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTUPLI, *arguments], capture_output=True, text=True, env={**os.environ, **variables}, timeout=60
    )


def test_datasets_are_completed() -> None:
    write()
    done = _run(_PYTUPLI_COMPLETE="bash_complete", COMP_WORDS="pytupli show acme/f", COMP_CWORD="2")
    assert done.stdout.strip() == "plain,acme/first-v0"


def test_the_installed_command() -> None:
    write()
    shown = _run("show", "acme/first-v0")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "acme/first-v0" in shown.stdout
    wrong = _run("show", "acme/none-v0")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("Error: There is no dataset 'acme/none-v0'")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from pytupli_registry.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'pyarrow', 'h5py', 'gymnasium', 'pandas', 'torch', 'rich'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_an_interrupted_recording_says_how_to_go_on_and_can_be_recovered() -> None:
    process = subprocess.Popen(
        [PYTUPLI, "record", "CartPole-v1", "cart/cut-v0", "--episodes", "10000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell started in the background ignore interrupts, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    try:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and not any(left.episodes for left in api.unfinished()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=40)
    finally:
        process.kill()
    assert process.returncode == 130
    (left,) = as_json("recover")
    assert f"pytupli recover {left['spool']}" in told
    assert left["dataset_id"] == "cart/cut-v0"
    assert left["live"] is False
    recovered = as_json("recover", left["spool"])
    assert recovered == {"dataset_id": "cart/cut-v0", "episodes": left["episodes"]}
    assert api.load("cart/cut-v0").episode_count == left["episodes"]
    assert "No recording was cut off." in pytupli("recover").stdout


def test_a_recording_that_was_cut_off_can_be_discarded() -> None:
    def failing():
        yield write("acme/other-v0")[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.write(
            "acme/cut-v0",
            failing(),
            observation_space=spaces.Box(-1, 1, (2,), np.float32),
            action_space=spaces.Discrete(3),
        )
    (left,) = as_json("recover")
    assert "acme/cut-v0" in pytupli("recover").stdout
    assert pytupli("recover", left["spool"], "--discard").exit_code == 0
    assert as_json("recover") == []
