"""A colleague of the university loads the stored policy by name and gets the same scores."""

import json
import sys
from pathlib import Path

from pytupli_registry import Benchmark

consent, result = json.loads(sys.argv[1]), Path(sys.argv[2])
bench = Benchmark.load("brightgrid")
evaluation = bench.evaluate("cql-summer", episodes=5, consent=consent)
result.write_text(
    json.dumps(
        {
            "returns": [episode.total_return for episode in evaluation.episodes],
            "policies": list(bench.specification.policies),
            "score": bench.specification.policies["cql-summer"].score,
        }
    )
)
