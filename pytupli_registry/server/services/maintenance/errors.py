"""What goes wrong in commands for administrators."""

from __future__ import annotations

__all__ = ["MaintenanceError"]


class MaintenanceError(Exception):
    """A command cannot do its work; the message says why, on what, and what to do."""
