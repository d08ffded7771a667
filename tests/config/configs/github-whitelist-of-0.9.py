from oauthenticator.github import LocalGitHubOAuthenticator
c = get_config()
c.JupyterHub.authenticator_class = LocalGitHubOAuthenticator
c.LocalGitHubOAuthenticator.client_id = 'an id'
c.LocalGitHubOAuthenticator.client_secret = 'not a secret'
c.LocalGitHubOAuthenticator.create_system_users = True
c.LocalGitHubOAuthenticator.oauth_callback_url = 'http://localhost:8000/hub/oauth_callback'
c.LocalAuthenticator.add_user_cmd = ['true', '--force-badname', '-q', '--gecos', '""', '--disabled-password']
c.Authenticator.whitelist = {'ada', 'bob'}
c.JupyterHub.admin_users = {'ada'}
c.JupyterHub.ip = '127.0.0.1'
#: needs = plug-ins handlers
#: warns = jupyterhub_config.py:10: JupyterHub.admin_users: deprecated: use c.Authenticator.admin_users
#: warns = jupyterhub_config.py:9: Authenticator.whitelist: deprecated: it is now called allowed_users
#: check = unsafe
#: check = deprecated JupyterHub.admin_users
#: check = deprecated Authenticator.whitelist
#: login = GitHub
