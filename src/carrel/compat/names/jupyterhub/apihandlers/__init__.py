"""`jupyterhub.apihandlers`: what plug-ins' places for programs derive from."""

from typing import Any

from carrel.compat.handlers.base import APIHandler

#: Further handlers; a plug-in adds its own while it is imported.
default_handlers: list[Any] = []

__all__ = ["APIHandler", "default_handlers"]
