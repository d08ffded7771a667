"""People sign in with GitHub, and whoever is new gets an account here. `pip install oauthenticator`.

The client's id, its secret and the callback URL come from the environment: see the file env.
"""

from oauthenticator.github import LocalGitHubOAuthenticator

c = get_config()

c.JupyterHub.authenticator_class = LocalGitHubOAuthenticator
c.LocalGitHubOAuthenticator.create_system_users = True

# Everybody has an account at GitHub: say who may come in.
c.Authenticator.allowed_users = {"minrk", "takluyver"}
c.Authenticator.admin_users = {"minrk"}
