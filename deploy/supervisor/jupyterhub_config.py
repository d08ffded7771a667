"""A hub that a supervisor starts and stops, for accounts of this machine."""

c = get_config()

c.Authenticator.allow_all = True

# Servers and data plane go on while the hub is stopped or started anew. It is the default on SIGTERM.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
