"""Datasets on disk: written, indexed, verified, mapped."""
