"""`jupyterhub.apihandlers.base`: what plug-ins' places for programs derive from."""

from carrel.compat.handlers.base import APIHandler

__all__ = ["APIHandler"]
