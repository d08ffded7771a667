"""Layer 1. What could be published on its own: it has never heard of a user or a server."""
