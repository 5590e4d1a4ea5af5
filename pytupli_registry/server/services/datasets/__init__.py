"""What the server knows of datasets: guard of Minari's files, facts, search."""
