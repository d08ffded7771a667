import os
c.JupyterHub.authenticator_class = 'azuread'
c.AzureAdOAuthenticator.tenant_id = os.environ.get('AAD_TENANT_ID', 'a-tenant')
c.AzureAdOAuthenticator.oauth_callback_url = 'https://hub.example.org/hub/oauth_callback'
c.AzureAdOAuthenticator.client_id = 'an id'
c.AzureAdOAuthenticator.client_secret = 'not a secret'
c.AzureAdOAuthenticator.username_claim = 'unique_name'
c.AzureAdOAuthenticator.scope = ['openid', 'profile', 'email']
c.Authenticator.allowed_users = {'ada@example.org'}
c.Authenticator.auto_login = False
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
#: needs = plug-ins handlers
#: check = unsafe
#: login = Azure AD
