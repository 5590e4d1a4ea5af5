"""Benchmarks: an environment as data, its artifacts, reference scores and datasets."""
