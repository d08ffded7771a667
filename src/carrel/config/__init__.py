"""Layer 3. `jupyterhub_config.py` in, typed and checked `Settings` out."""
