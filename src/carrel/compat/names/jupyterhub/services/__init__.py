"""`jupyterhub.services`."""
