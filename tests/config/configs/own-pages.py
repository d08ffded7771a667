import os
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
here = os.path.dirname(__file__)
c.JupyterHub.template_paths = [os.path.join(here, 'templates')]
c.JupyterHub.template_vars = {
    'announcement': 'Closed on Sunday',
    'announcement_login': 'Use your campus account',
}
c.JupyterHub.logo_file = os.path.join(here, 'templates', 'logo.png')
#: login = ada:x
#: files = templates/login.html templates/logo.png
