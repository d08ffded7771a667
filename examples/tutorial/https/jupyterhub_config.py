"""The first hub, behind a certificate: run make-certificate.sh in this directory before."""

c = get_config()

c.Authenticator.allow_all = True

c.JupyterHub.port = 443
c.JupyterHub.ssl_key = "hub.key"
c.JupyterHub.ssl_cert = "hub.crt"
