"""Layer 2. The proxy process (`carrel-proxy`): forwards bytes, knows routes, imports lib only.

It runs apart from the hub and outlives it, so that a restart of the hub touches no open connection.
"""
