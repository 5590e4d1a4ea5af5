"""Runs inside the virtual environment of another Minari release: prints every value of a dataset as JSON."""

import json
import sys

import minari
import numpy as np


def dump(tree, path, found):
    if isinstance(tree, dict):
        for key, part in tree.items():
            dump(part, f"{path}/{key}", found)
    elif isinstance(tree, tuple):
        for position, part in enumerate(tree):
            dump(part, f"{path}/_index_{position}", found)
    elif isinstance(tree, list):
        found[path] = tree
    elif tree is not None:
        values = np.asarray(tree)
        found[path] = [values.dtype.str, list(values.shape), values.tobytes().hex()]


dataset = minari.load_dataset(sys.argv[1])
dataset.set_seed(0)
episodes = []
for episode in dataset.iterate_episodes():
    found = {}
    for name in ("observations", "actions", "rewards", "terminations", "truncations", "infos"):
        dump(getattr(episode, name), name, found)
    episodes.append(found)
filtered = dataset.filter_episodes(lambda episode: float(np.sum(episode.rewards)) > 0)
attributes = [
    {key: str(value) for key, value in found.items()}
    for found in dataset.storage.get_episode_metadata(range(dataset.total_episodes))
]
print(
    json.dumps(
        {
            "version": minari.__version__,
            "total": [int(dataset.total_episodes), int(dataset.total_steps)],
            "episodes": episodes,
            "filtered": [int(index) for index in filtered.episode_indices],
            "attributes": attributes,
        }
    )
)
