"""Other projects' packages from PyPI, unmodified, against Carrel."""
