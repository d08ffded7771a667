"""Layer 6. Web plumbing shared by the faces: who is calling, sessions, CSRF, errors, headers, limits."""
