# /etc/jupyterhub/jupyterhub_config.py, started by supervisord
c = get_config()
c.JupyterHub.ip = '192.0.2.10'
c.JupyterHub.port = 8000
c.JupyterHub.pid_file = 'jupyterhub.pid'
c.JupyterHub.log_level = 'DEBUG'
c.JupyterHub.db_url = 'sqlite:///jupyterhub.sqlite'
c.JupyterHub.cookie_secret_file = 'jupyterhub_cookie_secret'
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {'root'}
c.PAMAuthenticator.open_sessions = False
c.PAMAuthenticator.service = 'login'
c.Spawner.env_keep.append('R_LIBS_SITE')
c.LocalProcessSpawner.shell_cmd = ['bash', '-l', '-c']
#: login = account
#: check = unsafe JupyterHub.ip
