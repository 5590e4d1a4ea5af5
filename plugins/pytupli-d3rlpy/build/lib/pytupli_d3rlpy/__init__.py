"""PyTupli Registry datasets as d3rlpy datasets, and d3rlpy's algorithms as policies of benchmarks.

``load`` returns the pair that ``d3rlpy.datasets.get_dataset`` returns; ``to_d3rlpy`` is the adapter behind
``dataset.to("d3rlpy")``. ``policy_of`` makes a policy of a trained algorithm; ``save_policy``, ``load_policy`` and
``read_d3`` keep it in files that others need not trust.
"""

from pytupli_d3rlpy.acting import policy_of
from pytupli_d3rlpy.adapter import load, to_d3rlpy
from pytupli_d3rlpy.d3_files import read_d3
from pytupli_d3rlpy.dataset import MappedDataset
from pytupli_d3rlpy.policies import load_policy, save_policy

__all__ = ["MappedDataset", "load", "load_policy", "policy_of", "read_d3", "save_policy", "to_d3rlpy"]
