"""What an administrator sees of a running Hub: log lines, measurements, and an id for every request."""
