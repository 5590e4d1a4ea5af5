"""Placeholder."""
def parse(text): raise RuntimeError("filters are not written yet")
