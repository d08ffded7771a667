# A class on one machine: everybody has an account, the list of names is a file beside this one.
import os

c = get_config()

here = os.path.abspath(os.path.dirname(__file__))
c.Authenticator.allowed_users = allowed = set()
c.Authenticator.admin_users = admin = set()
with open(os.path.join(here, "userlist")) as f:
    for line in f:
        parts = line.split()
        if not parts:
            continue
        allowed.add(parts[0])
        if len(parts) > 1 and parts[1] == "admin":
            admin.add(parts[0])

c.JupyterHub.ip = "0.0.0.0"
c.JupyterHub.port = 80
c.LocalAuthenticator.create_system_users = True
c.Spawner.notebook_dir = "~/notebooks"
c.Spawner.default_url = "/lab"
#: login = account
#: check = unsafe JupyterHub.ip
