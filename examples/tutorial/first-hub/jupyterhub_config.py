"""The default: accounts of this machine sign in with PAM, and each server runs as its user. Needs root."""

c = get_config()

# Everybody who has an account here. To name them instead: c.Authenticator.allowed_users = {"ada", "grace"}
c.Authenticator.allow_all = True

# Where the public finds the hub: this is the default.
c.JupyterHub.bind_url = "http://:8000"
