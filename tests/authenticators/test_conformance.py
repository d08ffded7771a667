"""The common suite over the drivers that need nothing outside this process."""

from __future__ import annotations

from typing import Any, ClassVar

from carrel.authenticators.base import Authenticator
from carrel.authenticators.dummy import DummyAuthenticator
from carrel.authenticators.null import NullAuthenticator
from carrel.authenticators.shared import SharedPasswordAuthenticator
from carrel.testing.conformance.authenticator import AuthenticatorConformance, Form


class TestDummy(AuthenticatorConformance):
    good: ClassVar[Form] = {"username": "Ada", "password": "open"}
    bad: ClassVar[Form] = {"username": "ada", "password": "opens"}

    def make(self, **settings: Any) -> Authenticator:
        return DummyAuthenticator(password="open", **settings)


class TestSharedPassword(AuthenticatorConformance):
    good: ClassVar[Form] = {"username": "Ada", "password": "for the class"}
    bad: ClassVar[Form] = {"username": "ada", "password": "For the class"}

    def make(self, **settings: Any) -> Authenticator:
        return SharedPasswordAuthenticator(user_password="for the class", **settings)


class TestNull(AuthenticatorConformance):
    bad: ClassVar[Form] = {"username": "ada", "password": ""}

    def make(self, **settings: Any) -> Authenticator:
        return NullAuthenticator(**settings)
