"""Random identifiers and secrets, and the forms in which secrets are stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

#: A source of unguessable hex strings; the simulator brings a seeded one.
NewId = Callable[[], str]

_PREFIX_LENGTH = 4
_MAX_TOKEN_LENGTH = 64


def new_token() -> str:
    """Return 32 hex characters from the operating system's random source."""
    return secrets.token_hex(16)


def new_secret() -> str:
    """Return a URL-safe secret of 256 bits."""
    return secrets.token_urlsafe(32)


def token_prefix(token: str) -> str:
    """Return the part of a token that is stored in clear to find its row."""
    return token[:_PREFIX_LENGTH]


def digest(token: str) -> str:
    """Return the SHA-256 of a high-entropy secret, in hex: how Carrel stores and caches tokens."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def hash_token(token: str, rounds: int = 16384, salt: str | int = 8, algorithm: str = "sha512") -> str:
    """Return `algorithm:rounds:salt:digest`, JupyterHub's stored form of a token.

    An integer `salt` asks for that many random bytes.
    """
    salt_text = secrets.token_hex(salt) if isinstance(salt, int) else salt
    return f"{algorithm}:{rounds}:{salt_text}:{_rounds(token, rounds, salt_text, algorithm)}"


def compare_token(compare: str, token: str) -> bool:
    """Tell whether `token` is the one that `hash_token` turned into `compare`."""
    if len(token) > _MAX_TOKEN_LENGTH:
        return False
    try:
        algorithm, rounds, salt, expected = compare.split(":")
        actual = _rounds(token, int(rounds), salt, algorithm)
    except ValueError:
        return False
    return same(actual, expected)


def fits_secret(stored: str, secret: str) -> bool:
    """Tell whether `stored` is the digest of a secret, in our own form or in JupyterHub's."""
    return compare_token(stored, secret) if ":" in stored else same(stored, digest(secret))


def rounds_of(stored: str) -> int:
    """Return how many rounds it takes to compute a digest in JupyterHub's form; 0 for another."""
    parts = stored.split(":")
    return int(parts[1]) if len(parts) == 4 and parts[1].isdecimal() else 0


def _rounds(token: str, rounds: int, salt: str, algorithm: str) -> str:
    hasher = hashlib.new(algorithm)
    hasher.update(salt.encode())
    encoded = token.encode()
    for _ in range(rounds):
        hasher.update(encoded)
    return hasher.hexdigest()
