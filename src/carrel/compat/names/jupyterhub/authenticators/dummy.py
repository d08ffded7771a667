"""`jupyterhub.authenticators.dummy`."""

from carrel.authenticators.dummy import DummyAuthenticator

__all__ = ["DummyAuthenticator"]
