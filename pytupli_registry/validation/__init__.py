"""Checks that a dataset holds what it should, and that everyone who reads it gets the same numbers."""

from pytupli_registry.validation.report import Problem, Report
from pytupli_registry.validation.run import validate

__all__ = ["Problem", "Report", "validate"]
