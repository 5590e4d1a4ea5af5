"""The catalog: benchmarks that are made on this machine, from recipes that installed packages bring along."""
