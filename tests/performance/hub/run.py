"""Measure the Hub server and print one table (``make bench-hub``); exit 1 if a target is missed.

Ratios are medians taken side by side in one run, on the machine it runs on: against nginx, or against Python's
``http.server`` where there is none. Numbers per second and seconds are of this machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2])]  # the table, and the tests' own PostgreSQL

PARTS = ("downloads", "ranges", "metadata", "listing", "commits", "writers", "uploads")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS, help="only these")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes; 0.1 for a quick look")
    parser.add_argument(
        "--scratch", type=Path, help="where the data goes (about 10 GB); default: a temporary one"
    )
    parser.add_argument("--output", type=Path, default=Path("bench-output"), help="where hub.md goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        os.environ |= {
            "HF_HOME": f"{scratch}/hf",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_EXPERIMENTAL_WARNING": "1",
        }
        return report(Path(scratch), options.parts, options.scale, options.output)


def report(root: Path, parts: tuple[str, ...], scale: float, output: Path) -> int:
    from table import markdown

    rows = []
    output.mkdir(exist_ok=True)
    for part in parts:
        print(f"… {part}", flush=True)
        folder = root / part
        folder.mkdir()
        new = import_module(part).measure(folder, scale)
        shutil.rmtree(folder)
        print(markdown(new), flush=True)
        rows += new
        (output / "hub.md").write_text(markdown(rows) + "\n")
    print(markdown(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
