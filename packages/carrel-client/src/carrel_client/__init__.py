"""What user images and services install to speak with a Carrel (or JupyterHub) hub."""

__version__ = "0.1.0"
