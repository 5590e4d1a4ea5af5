"""Environments named by data: what may be built here, what would run, and how it is built."""
