"""SQL: the schema, sessions and migrations."""
