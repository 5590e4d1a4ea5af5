"""Datasets and benchmarks of a Hub, read where they are: only what is asked for travels, and is kept."""
