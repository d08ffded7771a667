c = get_config()
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.load_groups = {
    'class-a': {'users': ['ada', 'bob']},
    'tutors': ['tom'],
}
c.JupyterHub.load_roles = [
    {
        'name': 'tutor',
        'description': 'Looks after class A',
        'scopes': ['admin-ui', 'list:users!group=class-a', 'servers!group=class-a', 'access:servers!group=class-a'],
        'groups': ['tutors'],
    },
    {'name': 'server', 'scopes': ['access:servers!user', 'users:activity!user']},
]
c.JupyterHub.custom_scopes = {'custom:grades:read': {'description': 'Read grades'}}
c.Spawner.server_token_scopes = ['access:servers!server', 'users:activity!user']
c.Spawner.oauth_client_allowed_scopes = ['access:servers!server']
#: login = tom:x
#: warns = jupyterhub_config.py:9: JupyterHub.load_roles: role 'server': servers' own tokens keep their usual scopes in this version
#: check = unused JupyterHub.load_roles
