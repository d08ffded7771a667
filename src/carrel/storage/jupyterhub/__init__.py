"""JupyterHub's own databases: what is in them, read from any release's and written for the newest."""
