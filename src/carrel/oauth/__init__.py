"""Layer 7. The OAuth 2 provider that single-user servers sign their visitors in with."""
