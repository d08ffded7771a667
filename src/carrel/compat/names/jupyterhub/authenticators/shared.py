"""`jupyterhub.authenticators.shared`."""

from carrel.authenticators.shared import SharedPasswordAuthenticator

__all__ = ["SharedPasswordAuthenticator"]
