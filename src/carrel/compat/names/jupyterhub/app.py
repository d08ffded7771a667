"""`jupyterhub.app`: the hub, as plug-ins name its class in annotations."""

from carrel.compat.facades import HubApp as JupyterHub

__all__ = ["JupyterHub"]
