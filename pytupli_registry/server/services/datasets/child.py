"""Reads ``episodes.parquet`` files in a process of its own: ``python -m pytupli_registry.server.services.datasets.child``.

Parquet from strangers can end a process (pyarrow lets C++ exceptions through), or fill the memory. So this process is
limited, reads one path a line from its input, and answers with one JSON object a line; who started it survives
whatever happens here.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytupli_registry.filters.source import FieldValues

__all__ = ["main"]

_MEMORY = 1 << 30  # of address space, of which the libraries take half
_CPU_S = 120
_MOST_FIELDS = 100
_LONGEST_NAME = 200


def main() -> None:
    """Answer until the input ends."""
    _limit()
    for line in sys.stdin:
        answer = _describe(Path(line.removesuffix("\n")))
        print(json.dumps(answer, allow_nan=False), flush=True)  # noqa: T201 - the answer


def _limit() -> None:
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _describe(path: Path) -> dict[str, Any]:
    # Under the limits, and not before: pyarrow and numpy reserve memory when they are imported.
    from pytupli_registry.errors import FormatError  # noqa: PLC0415
    from pytupli_registry.storage.index import read_index  # noqa: PLC0415

    try:
        index = read_index(path)
        fields = index.table.fields
        lengths = index.table.lengths
        return {
            "episodes": len(lengths),
            "steps": int(lengths.sum()),
            "lengths": _spread(lengths),
            "returns": _spread(fields["total_return"].values),
            "terminated": _share(fields["terminated"]),
            "truncated": _share(fields["truncated"]),
            "data_sha256": index.data_sha256,
            "data_size": index.data_size,
            "fields": [name for name in fields if _is_shown(name)][:_MOST_FIELDS],
        }
    except FormatError as error:
        return {"problem": error.problem[:_LONGEST_NAME]}


def _spread(values: Any) -> dict[str, float] | None:  # noqa: ANN401 - an array; numpy is not imported yet
    import numpy as np  # noqa: PLC0415

    with np.errstate(all="ignore"):
        found = {
            "min": float(np.min(values)),
            "mean": float(np.mean(values, dtype=np.float64)),
            "max": float(np.max(values)),
            "std": float(np.std(values, dtype=np.float64)),
        }
    return found if np.isfinite(list(found.values())).all() else None


def _share(found: FieldValues) -> float:
    return float(found.values.mean())


def _is_shown(name: str) -> bool:
    return name.startswith(("metadata.", "options.")) and len(name) <= _LONGEST_NAME


if __name__ == "__main__":
    main()
