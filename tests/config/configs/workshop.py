# A workshop: one password, and a longer one for those who give it.
c.JupyterHub.authenticator_class = 'shared-password'
c.SharedPasswordAuthenticator.user_password = 'workshop-2026'
c.SharedPasswordAuthenticator.admin_password = 'a rather long password, for administrators'
c.Authenticator.admin_users = {'teacher'}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'simple'
c.Spawner.mem_limit = '1G'
c.JupyterHub.public_url = 'https://workshop.example.org'
#: options = --JupyterHub.public_url=
#: login = ada:workshop-2026
#: check = unsafe JupyterHub.spawner_class
#: check = unsafe
