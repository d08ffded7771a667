"""What only plug-ins and configurations written for JupyterHub need: its import name, its handlers."""
