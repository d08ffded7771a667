"""Tables, statements and repositories on SQLite and PostgreSQL."""
