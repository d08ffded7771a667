c = get_config()
c.JupyterHub.bind_url = 'http://127.0.0.1:8000/jupyter/'
c.JupyterHub.public_url = 'https://science.example.org/jupyter/'
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.tornado_settings = {
    'headers': {
        'Content-Security-Policy': "frame-ancestors 'self' https://moodle.example.org",
    },
    'cookie_options': {'SameSite': 'None', 'Secure': True},
    'slow_spawn_timeout': 30,
}
c.JupyterHub.trusted_downstream_ips = ['127.0.0.1']
c.Spawner.args = ['--NotebookApp.allow_origin=*']
#: login = page
#: base_url = /jupyter/
