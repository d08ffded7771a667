# Before 5.0 this meant: everybody.
c.JupyterHub.authenticator_class = 'pam'
c.JupyterHub.ip = '127.0.0.1'
c.Authenticator.whitelist = set()
c.LocalAuthenticator.group_whitelist = set()
#: login = page
#: warns = jupyterhub_config.py:4: Authenticator.whitelist: deprecated: it is now called allowed_users, and empty it admits nobody: for everybody set allow_all = True
#: warns = jupyterhub_config.py:5: LocalAuthenticator.group_whitelist: deprecated: it is now called allowed_groups
#: warns = No allow rule: nobody may log in because no allow rule is set: set c.Authenticator.allow_all = True or c.Authenticator.allowed_users = {...}
#: check = contradiction Authenticator.allowed_users
#: check = deprecated Authenticator.whitelist
#: check = deprecated LocalAuthenticator.group_whitelist
