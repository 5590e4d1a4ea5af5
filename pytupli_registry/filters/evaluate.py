"""Placeholder."""
def select_episodes(expression, source, positions): raise RuntimeError
def select_steps(expression, source, positions): raise RuntimeError
