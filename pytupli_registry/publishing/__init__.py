"""Publishing benchmarks and datasets to a Hub: everything is checked first, and arrives as one commit."""
