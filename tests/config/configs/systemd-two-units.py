# The proxy is a unit of its own, so that restarts of the hub leave users connected.
import os
c.JupyterHub.bind_url = 'http://:8000'
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.auth_token = os.environ['CONFIGPROXY_AUTH_TOKEN']
c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:8001'
c.JupyterHub.authenticator_class = 'pam'
c.Authenticator.allowed_users = {'ada', 'bob'}
c.Authenticator.allow_existing_users = True
#: environ = CONFIGPROXY_AUTH_TOKEN=a-token-of-the-test
#: options = --Proxy.should_start=True --ConfigurableHTTPProxy.should_start=True
#: login = page
#: check = unsafe JupyterHub.bind_url
