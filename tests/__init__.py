"""Carrel's tests: one directory for each layer of src/carrel, and suites over the whole."""
