"""Layer 7. The REST API, compatible with JupyterHub's. No SQL and no drivers."""
