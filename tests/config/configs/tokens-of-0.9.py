import os
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.api_tokens = {os.environ['DEPLOY_TOKEN']: 'deploy'}
c.JupyterHub.service_tokens = {'5f4dcc3b5aa765d61d8327deb882cf99': 'grader'}
c.JupyterHub.services = [{'name': 'grader', 'url': 'http://127.0.0.1:10101', 'admin': False}]
c.Authenticator.admin_users = {'deploy'}
#: environ = DEPLOY_TOKEN=2c26b46b68ffc68ff99b453c1d304134
#: login = ada:x
#: warns = jupyterhub_config.py:5: JupyterHub.api_tokens: old: let services have these tokens (service_tokens), or make some by `carrel token NAME`
#: check = unsafe
#: check = deprecated JupyterHub.api_tokens
