"""Writing L, streamed, against stock Minari; done first, because the rest reads what is written here."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sets import BIG, CARTPOLE, IMAGE, XL, L, M, Shape, episodes, write_minari, write_ours
from table import Row, faster, seconds, spoken

if TYPE_CHECKING:
    from pathlib import Path


def measure(root: Path) -> list[Row]:
    for shape in (M, CARTPOLE, IMAGE, BIG):
        again(shape, root)
    for shape in (M, IMAGE):
        minari_again(shape, root)
    made = seconds(lambda: sum(len(episode) for episode in episodes(L)), 2)
    ours = seconds(lambda: again(L, root), 3) - made
    theirs = seconds(lambda: minari_again(L, root), 1) - made
    large = seconds(lambda: again(XL, root), 1) - seconds(lambda: sum(len(e) for e in episodes(XL)), 1)
    sizes = {
        folder: (root / folder / L.dataset_id / "data" / "main_data.hdf5").stat().st_size
        for folder in ("ours", "minari")
    }
    share = sizes["ours"] / sizes["minari"]
    return [
        faster(
            "L: write",
            ours,
            theirs,
            6,
            f"{spoken(ours)} against {spoken(theirs)}, making the numbers not counted",
        ),
        Row(
            "L: size of the file",
            f"{share:.2f} of Minari's",
            "≤ 0.3",
            share <= 0.3,
            f"{sizes['ours'] / 1e6:.0f} MB against {sizes['minari'] / 1e6:.0f} MB",
        ),
        Row(
            "growth from L to XL (10 × the episodes): write",
            f"{large / ours:.1f} × the time",
            "linear",
            large / ours <= 15,
            f"XL in {spoken(large)}",
        ),
    ]


def again(shape: Shape, root: Path) -> None:
    shutil.rmtree(root / "ours" / shape.dataset_id, ignore_errors=True)
    write_ours(shape, root)


def minari_again(shape: Shape, root: Path) -> None:
    shutil.rmtree(root / "minari" / shape.dataset_id, ignore_errors=True)
    write_minari(shape)
