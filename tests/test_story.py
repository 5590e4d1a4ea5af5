"""The paper's story, in processes that share a folder and nothing else: neither home nor import path."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

STORY = Path(__file__).parent / "story"


def run(script, *arguments, home, path=None):
    """Run a script as somebody else: another home, another import path, another working directory."""
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"PYTHONPATH": str(path)} if path else {}),
    }
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", STORY / script, *map(str, arguments)],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-4000:]
    return finished.stdout


def write_wind(path):
    lines = ["hour,power"]
    lines += [f"{hour},{1.5 + math.sin(hour / 30) + 0.4 * math.sin(hour / 5):.3f}" for hour in range(8760)]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_company_b_shares_an_environment_and_university_a_works_with_it(tmp_path):
    company, university, shared = tmp_path / "company", tmp_path / "university", tmp_path / "shared"
    company.mkdir()
    wind = company / "measured wind 2025.csv"
    write_wind(wind)
    printed = run("publish.py", shared, wind, home=company, path=STORY / "company")

    files = {path.relative_to(shared).as_posix() for path in shared.rglob("*") if path.is_file()}
    assert "benchmark.json" in files
    assert "operator-v0/data/main_data.hdf5" in files
    everything = b"".join(path.read_bytes() for path in shared.rglob("*") if path.is_file())
    assert str(company).encode() not in everything  # where the company keeps its files
    (shared / "benchmark.json").write_bytes((shared / "benchmark.json").read_bytes())
    stored = next(path for path in shared.rglob("*.csv"))
    assert stored.read_bytes() == wind.read_bytes()
    wind.unlink()  # nobody needs the company's own file any more

    result = tmp_path / "result.json"
    run("use.py", shared, result, home=university)
    said = json.loads(result.read_text())
    assert said["identity"] == printed.split()[-1]
    assert "brightgrid" in said["question"] or any("brightgrid" in line for line in said["runs"])
    assert said["hashes"]
    assert said["verified"] == "identical"
    assert said["drift"] == "identical"
    assert said["summer_episodes"] == 12
    assert said["datasets"] == ["operator-v0", "random-v0"]

    again = tmp_path / "again.json"
    run("again.py", json.dumps(said["hashes"]), again, home=university)
    repeated = json.loads(again.read_text())
    assert repeated["returns"] == said["returns"]
    assert repeated["policies"] == ["cql-summer"]
    assert repeated["score"] == pytest.approx(sum(said["returns"]) / len(said["returns"]))
