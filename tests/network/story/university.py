"""University A: loads the summer by one line, trains, evaluates, and keeps its policy and a dataset of its own."""

import json
import sys
from pathlib import Path

import d3rlpy
import torch

import benchmarks_catalog.environments  # noqa: F401 - installed here as well
import pytupli_d3rlpy
import pytupli_registry
from pytupli_registry import Benchmark, Recorder

result = Path(sys.argv[1])
torch.set_num_threads(1)
d3rlpy.seed(0)
said = {}

dataset, env = pytupli_d3rlpy.load("brightgrid/village/operator-v0", episodes="metadata.month in [6, 7, 8]")
said["episodes"] = len(dataset.episodes)
said["env"] = None if env is None else env.spec.id
again = pytupli_registry.load("brightgrid/village@main/operator-v0", episodes="metadata.month in [6, 7, 8]")
said["commit"] = again.origin.commit
said["returns"] = [episode.total_return for episode in again]

algo = d3rlpy.algos.BCConfig(batch_size=64).create()
algo.fit(
    dataset,
    n_steps=100,
    n_steps_per_epoch=100,
    show_progress=False,
    logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
)

bench = Benchmark.load("brightgrid/village")
said["identity"] = bench.identity
evaluation = bench.evaluate(algo, episodes=3)
said["scores"] = [episode.total_return for episode in evaluation.episodes]

bench.save()  # into the university's own store, where its policy and its data will lie beside it
recorder = Recorder(
    bench.make(),
    "village/random-v0",
    policy="random",
    metadata=lambda episode: {"month": int(episode.infos["month"][0])},
)
with recorder as recording:
    recording.action_space.seed(0)
    for day in range(12):
        recording.reset(seed=day, options={"month": day % 12 + 1})
        while not any(recording.step(recording.action_space.sample())[2:4]):
            pass
bench = Benchmark.load("village")
bench.with_policy("bc-summer", algo, algorithm="BC", dataset="operator-v0", score=evaluation.score).save()
said["datasets"] = list(Benchmark.load("village").specification.datasets)
result.write_text(json.dumps(said))
