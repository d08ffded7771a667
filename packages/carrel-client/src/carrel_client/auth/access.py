"""Who may enter: the rule that compares a visitor's scopes with those that are asked for."""

from __future__ import annotations

from collections.abc import Collection


def may_enter(held: Collection[str], asked: Collection[str]) -> bool:
    """Return whether a visitor who holds these scopes may use what asks for any of `asked`.

    Scopes are expanded, as the hub gives them. One without a filter includes every filtered form of it, and
    `!user=ada` includes `!server=ada/…`. What asks for nothing admits nobody.
    """
    return any(_is_held(scope, held) for scope in asked)


def _is_held(scope: str, held: Collection[str]) -> bool:
    name, _, filtered = scope.partition("!")
    if scope in held or name in held:
        return True
    kind, _, server = filtered.partition("=")
    return kind == "server" and f"{name}!user={server.partition('/')[0]}" in held
