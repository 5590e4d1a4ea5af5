"""Somebody in the company scores the university's policy, from the university's repository."""

import json
import sys
from pathlib import Path

import benchmarks_catalog.environments  # noqa: F401
from pytupli_registry import Benchmark

result = Path(sys.argv[1])
bench = Benchmark.load("university/village")
evaluation = bench.evaluate("bc-summer", episodes=3)
result.write_text(json.dumps({"scores": [episode.total_return for episode in evaluation.episodes]}))
