"""What ``import pytupli_registry`` costs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from table import Row, seconds, spoken

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("torch", "h5py", "pyarrow", "pandas")


def measure(_: Path) -> list[Row]:
    bare, ours = (seconds(lambda c=code: run(c), 9) for code in ("pass", "import pytupli_registry"))
    loaded = run(f"import pytupli_registry, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])")
    added = ours - bare
    return [
        Row(
            "`import pytupli_registry` over `python -c pass`",
            f"{added * 1e3:.0f} ms",
            "≤ 150 ms",
            added <= 0.15 and not loaded,
            f"of {', '.join(HEAVY)} it imports {loaded or 'none'} ({spoken(bare)} bare)",
        )
    ]


def run(code: str) -> str:
    finished = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return finished.stdout.strip()
