"""Episodes, transitions and datasets as values; no input or output happens here."""
