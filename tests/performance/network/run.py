"""Measure publishing and loading over the network, and print one table (``make bench-network``).

Exit 1 if a target is missed. Ratios are medians taken side by side in one run, on the machine it runs on: on loopback,
and behind a proxy that adds 20 ms to each round trip and lets 200 Mbit/s through in either direction. Bytes are counted
on the wire, heads included.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
# The table and the sets, the Hub's process, and the tests' own network.
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "hub"), str(HERE.parents[2])]

PARTS = ("top_episodes", "short_episodes", "flags_only", "first_batch", "publishing_rate", "appending")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS, help="only these")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes; 0.05 for a quick look")
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement")
    parser.add_argument(
        "--scratch", type=Path, help="where the data goes (about 15 GB); default: a temporary one"
    )
    parser.add_argument("--output", type=Path, default=Path("bench-output"), help="where network.md goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        os.environ |= {
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_EXPERIMENTAL_WARNING": "1",
        }
        return report(Path(scratch), options)


def report(root: Path, options: argparse.Namespace) -> int:
    from stage import Stage
    from table import markdown

    rows = []
    with Stage(root).running() as stage:
        for part in options.parts:
            print(f"… {part}", flush=True)
            new = import_module(part).measure(stage, options.scale, options.repeats)
            print(markdown(new), flush=True)
            rows += new
    options.output.mkdir(exist_ok=True)
    (options.output / "network.md").write_text(markdown(rows) + "\n")
    print(markdown(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
