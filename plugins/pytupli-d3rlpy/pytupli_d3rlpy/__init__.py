"""PyTupli Registry datasets as d3rlpy datasets.

``load`` returns the pair that ``d3rlpy.datasets.get_dataset`` returns; ``to_d3rlpy`` is the adapter behind
``dataset.to("d3rlpy")``.
"""

from pytupli_d3rlpy.adapter import load, to_d3rlpy
from pytupli_d3rlpy.dataset import MappedDataset

__all__ = ["MappedDataset", "load", "to_d3rlpy"]
