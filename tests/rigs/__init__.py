"""What tests and benchmarks stand on: real hub processes, visitors, a private PostgreSQL, /proc."""
