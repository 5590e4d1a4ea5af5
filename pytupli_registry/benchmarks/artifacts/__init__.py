"""Artifacts: what an environment is made of beside plain JSON, as files that are addressed by their hash."""
