"""The catalog's own environments; importing this package makes ``gymnasium.make("pytupli/HVAC-v0", …)`` work.

Gymnasium 1.0 loads no plugins by itself (0.29 did, from the entry-point group ``gymnasium.envs``), so somebody
imports this package, calls :func:`register`, or writes
``gymnasium.make("benchmarks_catalog.environments:pytupli/HVAC-v0", …)``.
"""

from __future__ import annotations

from gymnasium.envs.registration import register as _register
from gymnasium.envs.registration import registry

__all__ = ["register"]

_ENVIRONMENTS = (  # id, entry point, steps of an episode
    ("pytupli/HVAC-v0", "hvac:HVAC", 96),
    ("pytupli/Microgrid-v0", "microgrid:Microgrid", 48),
    ("pytupli/PointReach-v0", "point_reach:PointReach", 100),
    ("pytupli/Catch-v0", "catch:Catch", None),
)


def register() -> None:
    """Make the ids known to Gymnasium, once; an id that is known already is left alone."""
    for environment_id, entry_point, steps in _ENVIRONMENTS:
        if environment_id not in registry:
            _register(environment_id, entry_point=f"{__name__}.{entry_point}", max_episode_steps=steps)


register()
