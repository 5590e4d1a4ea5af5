"""Company B makes a benchmark of its environment and puts it into a folder that it shares."""

import sys
from pathlib import Path

import brightgrid
import gymnasium
import numpy as np

from pytupli_registry import Benchmark, Recorder

folder, wind = Path(sys.argv[1]), Path(sys.argv[2])
demand = 1.0 + np.sin(np.linspace(0, np.pi, brightgrid.HOURS)) ** 2

gymnasium.register(
    "brightgrid/Village-v0", entry_point="brightgrid:BrightGrid", max_episode_steps=brightgrid.HOURS
)
env = gymnasium.make("brightgrid/Village-v0", wind=wind, demand=demand)
bench = Benchmark.from_env(
    env,
    name="brightgrid",
    description="Keep a village supplied from a wind farm and a battery.",
    difficulty="medium",
    metadata={"country": "AT", "farm": {"turbines": 2}},
    licence="CC-BY-4.0",
    authors=["Company B"],
    code=[brightgrid],
)
bench.save()

# What the company recorded itself: a year of its own rule.
recorder = Recorder(
    Benchmark.load("brightgrid").make(allow=["brightgrid"]),
    "brightgrid/operator-v0",
    policy="operator",
    metadata=lambda episode: {"month": int(episode.infos["month"][0])},
)
with recorder as recording:
    for day in range(60):
        observation, _ = recording.reset(seed=day, options={"month": day % 12 + 1})
        done = False
        while not done:
            surplus = observation[1] - observation[2]
            observation, _, terminated, truncated, _ = recording.step(1 + int(np.sign(round(float(surplus)))))
            done = terminated or truncated

bench = Benchmark.load("brightgrid")
bench.save()  # lists what was recorded
bench.save(folder, datasets=True)
print(bench.identity)
