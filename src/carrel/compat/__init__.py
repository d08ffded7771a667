"""Layer 7. What only those need who come from JupyterHub, or go back to it."""
