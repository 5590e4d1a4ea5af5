"""What administrators do to a whole Hub: make, check, clean, copy and count it."""
