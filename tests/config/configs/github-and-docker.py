import os

c = get_config()
c.JupyterHub.authenticator_class = 'oauthenticator.github.GitHubOAuthenticator'
c.GitHubOAuthenticator.oauth_callback_url = 'https://hub.example.org/hub/oauth_callback'
c.GitHubOAuthenticator.client_id = os.environ['GITHUB_CLIENT_ID']
c.GitHubOAuthenticator.client_secret = os.environ['GITHUB_CLIENT_SECRET']
c.GitHubOAuthenticator.allowed_organizations = {'example-org'}
c.GitHubOAuthenticator.scope = ['read:org']
c.Authenticator.admin_users = {'ada'}
c.JupyterHub.spawner_class = 'docker'
c.DockerSpawner.image = 'jupyter/base-notebook'
c.JupyterHub.hub_ip = '0.0.0.0'
c.JupyterHub.hub_connect_ip = '172.17.0.1'
#: needs = plug-ins handlers
#: environ = GITHUB_CLIENT_ID=an-id GITHUB_CLIENT_SECRET=not-a-secret
#: options = --JupyterHub.hub_connect_ip=127.0.0.1
#: check = unsafe JupyterHub.ip
#: login = GitHub
