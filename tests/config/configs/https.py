c.JupyterHub.ssl_key = '/etc/letsencrypt/live/hub.example.org/privkey.pem'
c.JupyterHub.ssl_cert = '/etc/letsencrypt/live/hub.example.org/fullchain.pem'
c.JupyterHub.port = 443
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = 'a password'
c.JupyterHub.spawner_class = 'simple'
#: needs = ssl_key
#: options = --JupyterHub.ssl_key= --JupyterHub.ssl_cert=
#: login = ada:a password
#: check = error JupyterHub.ssl_key
#: check = error JupyterHub.ssl_cert
#: check = unsafe JupyterHub.authenticator_class
#: check = unsafe JupyterHub.spawner_class
#: check = unsafe
