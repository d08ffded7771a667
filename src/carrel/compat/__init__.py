"""What only those need who come from JupyterHub: its import name, its handlers, its databases."""
