"""`make demo`, with fewer seeds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.extended
def test_filtered_data_trains_the_better_policy():
    command = [sys.executable, "docs/demo.py", "--episodes", "30", "--seeds", "2", "--evaluations", "10"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert finished.returncode == 0, finished.stderr
    rows = re.findall(
        r"^(everything|total_return >= -300)\s+(\d+)\s+(-[\d.]+)\s+(-[\d.]+)", finished.stdout, re.MULTILINE
    )
    assert [row[0] for row in rows] == ["everything", "total_return >= -300"]
    (_, all_episodes, _, everything), (_, kept_episodes, _, filtered) = rows
    assert int(all_episodes) == 90
    assert 0 < int(kept_episodes) < 90
    assert float(filtered) > float(everything)
    assert 'pytupli_d3rlpy.load("pendulum/mixed-v0", episodes="total_return >= -300")' in finished.stdout
