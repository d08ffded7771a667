"""`jupyterhub.handlers.login`: the log-in and log-out pages, for plug-ins to change."""

from carrel.compat.handlers.login import LoginHandler, LogoutHandler

__all__ = ["LoginHandler", "LogoutHandler"]
