"""Changing what history holds: squashing branches, and taking large files out of every commit."""
