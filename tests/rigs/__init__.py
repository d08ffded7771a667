"""What tests and benchmarks stand on: a hub as a real process, visitors, a private PostgreSQL, figures from /proc."""
