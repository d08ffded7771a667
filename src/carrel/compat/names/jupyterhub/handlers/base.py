"""`jupyterhub.handlers.base`: what plug-ins' pages derive from."""

from carrel.compat.handlers.base import BaseHandler

__all__ = ["BaseHandler"]
