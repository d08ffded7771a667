"""JupyterHub 6.1 and Carrel on one configuration, asked the same questions."""
