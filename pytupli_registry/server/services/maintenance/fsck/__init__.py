"""Whether everything that the database says is true: of git's objects, of stored bytes, of numbers."""
