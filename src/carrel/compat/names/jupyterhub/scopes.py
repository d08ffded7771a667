"""`jupyterhub.scopes`: who may ask a plug-in's handler."""

from carrel.compat.handlers.access import needs_scope

__all__ = ["needs_scope"]
