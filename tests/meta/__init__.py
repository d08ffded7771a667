"""Rules about the project's own text."""
