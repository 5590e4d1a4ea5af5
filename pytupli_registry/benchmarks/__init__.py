"""Environments named by data: whether they may be built here, and how."""
