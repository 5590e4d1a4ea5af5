"""``python -m benchmarks_catalog.policies``: measures every controller and rewrites the table of README.md."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from benchmarks_catalog.policies.measuring import table

_SEEDS = range(20)
_BEGIN = "<!-- measured -->\n"


def main() -> None:
    """Everything below the mark in README.md is replaced."""
    readme = Path(__file__).with_name("README.md")
    written_by_hand = readme.read_text("utf-8").split(_BEGIN)[0]
    versions = ", ".join(f"{name} {version(name)}" for name in ("gymnasium", "numpy", "Box2D", "mujoco"))
    heading = f"Seeds {_SEEDS.start} to {_SEEDS.stop - 1}, one episode each; {versions}.\n\n"
    readme.write_text(f"{written_by_hand}{_BEGIN}\n{heading}{table(_SEEDS)}", "utf-8")


if __name__ == "__main__":
    main()
