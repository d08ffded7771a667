"""Layer 6. Web plumbing that all faces share: who is calling, sessions, CSRF, errors to statuses."""
