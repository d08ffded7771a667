"""`jupyterhub.handlers`: what plug-ins' pages derive from."""

from typing import Any

from carrel.compat.handlers.base import BaseHandler
from carrel.compat.handlers.login import LoginHandler, LogoutHandler

#: Further handlers; a plug-in may add its own while it is imported.
default_handlers: list[Any] = []

__all__ = ["BaseHandler", "LoginHandler", "LogoutHandler", "default_handlers"]
