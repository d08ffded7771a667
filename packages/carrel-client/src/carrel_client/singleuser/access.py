"""Who may enter: the rule that compares a visitor's scopes with those that the server asks for."""

from __future__ import annotations

from collections.abc import Collection


def may_enter(held: Collection[str], asked: Collection[str]) -> bool:
    """Return whether a visitor who holds these scopes may use a server that asks for any of `asked`.

    A scope without a filter includes every filtered form of it. A server that asks for nothing admits nobody.
    """
    return any(scope in held or scope.partition("!")[0] in held for scope in asked)
