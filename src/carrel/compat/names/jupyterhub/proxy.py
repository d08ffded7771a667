"""`jupyterhub.proxy`: the base class of data planes' drivers, and the driver of JupyterHub's own."""

from carrel.proxy.chp import ConfigurableHTTPProxy
from carrel.proxy.plugin import PluginProxy as Proxy

__all__ = ["ConfigurableHTTPProxy", "Proxy"]
