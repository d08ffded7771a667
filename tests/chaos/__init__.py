"""A real hub, data plane and servers under `kill -9`: nothing may be lost, doubled or orphaned."""
