"""RSA keys, and JSON Web Tokens signed with them (RFC 7519, RS256): every client can check those.

The libraries are loaded with the first use: they take a tenth of a second, and most hubs sign nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ALGORITHM = "RS256"
_BITS = 2048


def new_private_key() -> str:
    """Return a fresh key as PEM text. It takes about a tenth of a second: not for an event loop."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def sign(claims: Mapping[str, Any], private: str, key_id: str) -> str:
    """Return a token that says `claims`, with the key's id in its header."""
    import jwt

    return jwt.encode(dict(claims), _load(private), ALGORITHM, headers={"kid": key_id})


def public_key(private: str, key_id: str) -> dict[str, str]:
    """Return what others check signatures with, as a JSON Web Key (RFC 7517)."""
    import jwt

    found = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_load(private).public_key()))
    return {"kty": "RSA", "use": "sig", "alg": ALGORITHM, "kid": key_id, "n": found["n"], "e": found["e"]}


def half_hash(text: str) -> str:
    """Return the left half of a text's SHA-256: how a token names another (OpenID Connect Core, 3.1.3.6)."""
    half = hashlib.sha256(text.encode("ascii")).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def _load(private: str) -> RSAPrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    # The key is our own: checking its primes with each use would cost more than signing.
    key = serialization.load_pem_private_key(private.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("This is no RSA key.")
    return key
