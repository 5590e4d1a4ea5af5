"""PyTupli Registry datasets as real ``minari.MinariDataset`` objects, read from columns instead of HDF5 groups.

``load`` takes a reference and filters; ``to_minari`` is the adapter behind ``dataset.to("minari")``; ``compact``
narrows a dataset that Minari's own ``filter_episodes`` or ``split_dataset`` made to the episodes it points to.
"""

from __future__ import annotations

from pytupli_minari.dataset import PytupliDataset, compact, load, to_minari
from pytupli_minari.storage import PytupliStorage

__all__ = ["PytupliDataset", "PytupliStorage", "compact", "load", "to_minari"]
