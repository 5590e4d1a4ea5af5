"""Measure everything and print one table (``make bench``); exit 1 if a target is missed.

All figures are ratios of medians taken side by side in one run, on the machine it runs on.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

# Imported by name: the reading measurements need what `writing` leaves behind.
PARTS = ("writing", "loading", "filtering", "sampling", "training", "memory", "imports")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--parts", nargs="*", default=PARTS, choices=PARTS, help="only these, on data of --data"
    )
    parser.add_argument("--data", type=Path, help="keep the data in this folder (several GB)")
    parser.add_argument("--output", type=Path, default=Path("bench-output"), help="where table.md goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = (options.data or Path(scratch)).resolve()
        (root / "ours").mkdir(parents=True, exist_ok=True)
        (root / "minari").mkdir(exist_ok=True)
        os.environ["PYTUPLI_DATASETS_PATH"] = str(root / "ours")
        os.environ["PYTUPLI_CACHE_PATH"] = str(root / "cache")
        os.environ["MINARI_DATASETS_PATH"] = str(root / "minari")
        return report(root, options.parts, options.output)


def report(root: Path, parts: tuple[str, ...], output: Path) -> int:
    import structlog
    from table import markdown

    warnings.simplefilter("ignore")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows = []
    for part in parts:
        print(f"… {part}", flush=True)
        rows += import_module(part).measure(root)
    table = markdown(rows)
    print(table)
    output.mkdir(exist_ok=True)
    (output / "table.md").write_text(table + "\n")
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
