"""University A loads the benchmark, records, filters the summer, trains, evaluates, and keeps its policy with it."""

import json
import sys
from pathlib import Path

import d3rlpy
import numpy as np
import torch

import pytupli_d3rlpy
from pytupli_registry import Benchmark, Recorder
from pytupli_registry.errors import ConsentRequired

folder, result = Path(sys.argv[1]), Path(sys.argv[2])
said = {}
bench = Benchmark.load(folder)
said["identity"] = bench.identity

# The company's code is not installed here. It came along, and does not run before the university says so.
try:
    bench.make()
except ConsentRequired as question:
    said["question"] = str(question)
    said["runs"] = list(question.runs)
    said["hashes"] = list(question.hashes)
assert "brightgrid" not in sys.modules
consent = said["hashes"]
said["verified"] = bench.verify(consent=consent).outcome
said["drift"] = bench.verify("operator-v0", consent=consent).outcome

# Into the university's own store, and experience of its own.
bench.save(datasets=True)
bench = Benchmark.load("brightgrid")
recorder = Recorder(
    bench.make(consent=consent),
    "brightgrid/random-v0",
    policy="random",
    metadata=lambda episode: {"month": int(episode.infos["month"][0])},
)
with recorder as env:
    env.action_space.seed(0)
    for day in range(48):
        env.reset(seed=day, options={"month": day % 12 + 1})
        while not any(env.step(env.action_space.sample())[2:4]):
            pass

dataset, _ = pytupli_d3rlpy.load("brightgrid/random-v0", episodes="metadata.month in [6, 7, 8]")
said["summer_episodes"] = len(dataset.episodes)
torch.set_num_threads(1)
d3rlpy.seed(0)
algo = d3rlpy.algos.DiscreteCQLConfig(batch_size=64).create()
algo.fit(
    dataset,
    n_steps=200,
    n_steps_per_epoch=200,
    show_progress=False,
    logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
)

evaluation = bench.evaluate(algo, episodes=5, consent=consent)
said["returns"] = [episode.total_return for episode in evaluation.episodes]
bench.with_policy(
    "cql-summer", algo, algorithm="DiscreteCQL", dataset="random-v0", score=evaluation.score
).save()
said["datasets"] = list(Benchmark.load("brightgrid").specification.datasets)
np.testing.assert_array_equal(bench.artifact("demand"), np.asarray(bench.artifact("demand")))
result.write_text(json.dumps(said))
