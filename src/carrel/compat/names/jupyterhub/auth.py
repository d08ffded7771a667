"""`jupyterhub.auth`: authenticators' base classes and the built-in ones."""

from carrel.authenticators.base import Authenticator
from carrel.authenticators.dummy import DummyAuthenticator
from carrel.authenticators.local import LocalAuthenticator
from carrel.authenticators.null import NullAuthenticator
from carrel.authenticators.pam import PAMAuthenticator

__all__ = [
    "Authenticator",
    "DummyAuthenticator",
    "LocalAuthenticator",
    "NullAuthenticator",
    "PAMAuthenticator",
]
