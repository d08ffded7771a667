import os
c = get_config()
c.JupyterHub.authenticator_class = 'generic-oauth'
c.GenericOAuthenticator.client_id = 'jupyterhub'
c.GenericOAuthenticator.client_secret = os.environ['KEYCLOAK_SECRET']
c.GenericOAuthenticator.authorize_url = 'https://login.example.org/realms/hub/protocol/openid-connect/auth'
c.GenericOAuthenticator.token_url = 'https://login.example.org/realms/hub/protocol/openid-connect/token'
c.GenericOAuthenticator.userdata_url = 'https://login.example.org/realms/hub/protocol/openid-connect/userinfo'
c.GenericOAuthenticator.login_service = 'Keycloak'
c.GenericOAuthenticator.scope = ['openid', 'profile', 'roles']
c.GenericOAuthenticator.username_claim = lambda info: info['preferred_username']
c.GenericOAuthenticator.auth_state_groups_key = lambda auth_state: auth_state['oauth_user'].get('groups', [])
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.allowed_groups = {'notebooks'}
c.GenericOAuthenticator.admin_groups = {'notebook-admins'}
c.GenericOAuthenticator.enable_auth_state = True
c.CryptKeeper.keys = ['4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a']
c.CryptKeeper.n_threads = 2
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
#: needs = plug-ins handlers
#: environ = KEYCLOAK_SECRET=not-a-secret
#: warns = jupyterhub_config.py:18: CryptKeeper.n_threads: not used: values are encrypted where they are needed, without threads
#: check = unsafe
#: check = unused CryptKeeper.n_threads
#: login = Keycloak
