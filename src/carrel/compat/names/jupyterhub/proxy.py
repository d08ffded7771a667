"""`jupyterhub.proxy`: the base class of data planes' drivers, and the driver of JupyterHub's own."""

from carrel.proxy.base import Proxy
from carrel.proxy.chp import ConfigurableHTTPProxy

__all__ = ["ConfigurableHTTPProxy", "Proxy"]
