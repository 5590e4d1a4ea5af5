"""Memory of a full load, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from sets import BIG, M, store
from table import Row

if TYPE_CHECKING:
    from pathlib import Path

LOAD = """
import json, sys
import numpy, d3rlpy, pytupli_d3rlpy

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) * 1024

pytupli_d3rlpy.load({small!r})[0].sample_transition_batch(256)  # lazy imports are not the data's memory
before = anonymous()
dataset, _ = pytupli_d3rlpy.load({id!r})
loaded = anonymous() - before
for _ in range(200):
    dataset.sample_transition_batch(256)
print(json.dumps([loaded, anonymous() - before]))
"""

LIMITED = """
import json, resource, sys
import d3rlpy, torch, pytupli_d3rlpy
torch.set_num_threads(2)

def data():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmData")) * 1024

config = d3rlpy.algos.BCConfig(batch_size=256)
warm, _ = pytupli_d3rlpy.load({small!r})
model = config.create()
model.fit(warm, n_steps=3, n_steps_per_epoch=3, logger_adapter=d3rlpy.logging.NoopAdapterFactory(), show_progress=False)
limit = data() + {headroom}
while True:  # freed memory that the allocator still holds would come on top: take it away as well
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        bytearray({headroom})
    except MemoryError:
        break
    limit -= 16 << 20
dataset, _ = pytupli_d3rlpy.load({id!r})
model = config.create()
model.fit(dataset, n_steps=50, n_steps_per_epoch=50, logger_adapter=d3rlpy.logging.NoopAdapterFactory(), show_progress=False)
print(json.dumps(dataset.transition_count))
"""


def measure(root: Path) -> list[Row]:
    size = (store(root).data_path(M.dataset_id) / "main_data.hdf5").stat().st_size
    loaded, sampled = run(LOAD.format(small="bench/cartpole-v0", id=M.dataset_id))
    big = (store(root).data_path(BIG.dataset_id) / "main_data.hdf5").stat().st_size
    headroom = big // 3
    count = run(LIMITED.format(small=M.dataset_id, id=BIG.dataset_id, headroom=headroom))
    share = max(loaded, sampled) / size
    return [
        Row(
            "M: anonymous memory of a full load, and of sampling from it",
            f"{share:.2%} of the data",
            "≤ 5 %",
            share <= 0.05,
        ),
        Row(
            "a dataset 3 × the memory that is left (RLIMIT_DATA) loads and trains",
            "trains" if count else "fails",
            "trains",
            bool(count),
            f"{big / 1e6:,.0f} MB with {headroom / 1e6:,.0f} MB to spend",
        ),
    ]


def run(code: str) -> object:
    finished = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(finished.stdout.splitlines()[-1])
