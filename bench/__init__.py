"""Carrel measured beside JupyterHub: see bench/README.md."""
