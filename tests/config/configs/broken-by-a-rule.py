c = get_config()
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.ip = '127.0.0.1'
c.Authenticator.allowed_user = {'ada'}
#: broken = jupyterhub_config.py:4: Authenticator.allowed_user: DummyAuthenticator has no such setting; did you mean allowed_users?
