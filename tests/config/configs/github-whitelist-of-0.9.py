from oauthenticator.github import LocalGitHubOAuthenticator

c = get_config()
c.JupyterHub.authenticator_class = LocalGitHubOAuthenticator
c.LocalGitHubOAuthenticator.client_id = "an id"
c.LocalGitHubOAuthenticator.client_secret = "not a secret"
c.LocalGitHubOAuthenticator.create_system_users = True
c.LocalGitHubOAuthenticator.oauth_callback_url = "http://localhost:8000/hub/oauth_callback"
c.LocalAuthenticator.add_user_cmd = [
    "adduser",
    "--force-badname",
    "-q",
    "--gecos",
    '""',
    "--disabled-password",
]
c.Authenticator.whitelist = {"ada", "bob"}
c.JupyterHub.admin_users = {"ada"}
c.JupyterHub.ip = "127.0.0.1"
#: needs = plug-ins handlers
#: login = GitHub
