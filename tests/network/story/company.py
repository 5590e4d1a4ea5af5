"""Company B: its village's wind, prices and load become a benchmark, and two months of operation a dataset."""

import math
import sys
from pathlib import Path

import gymnasium
import numpy as np

import benchmarks_catalog.environments  # noqa: F401 - the environment's own package, which everybody can install
from pytupli_registry import Benchmark, Recorder

HOURS = 8760
SERIES = {
    "wind": ("wind_speed_m_s", lambda hour: 7 + 4 * math.sin(hour / 40) + 2 * math.sin(hour / 5)),
    "prices": ("price_eur_kwh", lambda hour: 0.1 + 0.05 * math.sin(hour / 24 * 2 * math.pi)),
    "load": ("load_kw", lambda hour: 20 + 8 * math.sin((hour % 24) / 24 * 2 * math.pi)),
}

folder = Path(sys.argv[1])
files = {}
for name, (column, value) in SERIES.items():
    files[name] = folder / f"measured {name}.csv"
    rows = "".join(f"{hour},{value(hour):.3f}\n" for hour in range(HOURS))
    files[name].write_text(f"hour,{column}\n{rows}")

env = gymnasium.make("pytupli/Microgrid-v0", **files)
bench = Benchmark.from_env(
    env,
    name="village",
    description="Keep a village supplied from a wind turbine and a battery.",
    difficulty="medium",
    licence="CC-BY-4.0",
    authors=["Company B"],
    metadata={"country": "AT"},
)
bench.save()

recorder = Recorder(
    Benchmark.load("village").make(),
    "village/operator-v0",
    policy="operator",
    metadata=lambda episode: {"month": int(episode.infos["month"][0])},
)
with recorder as recording:
    for day in range(48):
        observation, _ = recording.reset(seed=day, options={"month": day % 12 + 1})
        done = False
        while not done:
            surplus = observation[2] - observation[1]
            action = np.array([np.clip(surplus / 50, -1, 1)], np.float32)
            observation, _, terminated, truncated, _ = recording.step(action)
            done = terminated or truncated
Benchmark.load("village").save()  # lists what was recorded
print(Benchmark.load("village").identity)
