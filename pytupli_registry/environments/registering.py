"""Environments that installed packages register with Gymnasium, which from 1.0 on loads no plugins itself."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points

__all__ = ["ENVIRONMENT_GROUP", "register_installed"]

ENVIRONMENT_GROUP = "pytupli_registry.environments"

_LOGGER = logging.getLogger(__name__)


def register_installed() -> None:
    """Call what installed packages name under ``pytupli_registry.environments``: it makes their ids known.

    These are packages that the user installed, as with Gymnasium's own plugins before 1.0; data has no say in it.
    Calling it again changes nothing. A package that cannot be imported is logged and left out.
    """
    for point in sorted(entry_points(group=ENVIRONMENT_GROUP), key=lambda point: point.name):
        try:
            point.load()()
        except (ImportError, AttributeError) as error:  # no such module, or what it needs; no such name in it
            _LOGGER.warning("The environments of %r cannot be registered: %s", point.name, error)
