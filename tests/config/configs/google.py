import os
from oauthenticator.google import GoogleOAuthenticator
c.JupyterHub.authenticator_class = GoogleOAuthenticator
c.GoogleOAuthenticator.oauth_callback_url = os.environ['OAUTH_CALLBACK_URL']
c.GoogleOAuthenticator.client_id = os.environ['OAUTH_CLIENT_ID']
c.GoogleOAuthenticator.client_secret = os.environ['OAUTH_CLIENT_SECRET']
c.GoogleOAuthenticator.hosted_domain = ['example.edu']
c.GoogleOAuthenticator.login_service = 'Example University'
c.GoogleOAuthenticator.allow_all = True
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.bind_url = 'http://127.0.0.1:8000'
#: needs = plug-ins handlers
#: environ = OAUTH_CALLBACK_URL=https://hub.example.edu/hub/oauth_callback OAUTH_CLIENT_ID=x OAUTH_CLIENT_SECRET=y
#: check = unsafe GoogleOAuthenticator.allow_all
#: login = Example University
