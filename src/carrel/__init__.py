"""Carrel: a notebook server of their own for every user of a shared machine, cluster or cloud.

The layers and their rules are drawn in docs/architecture.md.
"""

__version__ = "0.1.0"

#: The JupyterHub release whose contract is served; sent as X-JupyterHub-Version.
JUPYTERHUB_VERSION = "6.1.1"
