"""The benchmark catalog: one folder a benchmark, our own environments, and documented controllers."""
