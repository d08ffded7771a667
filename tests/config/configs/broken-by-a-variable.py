import os

c = get_config()
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = os.environ['HUB_PASSWORD_THAT_NOBODY_SET']
#: broken = jupyterhub_config.py:5: the environment variable HUB_PASSWORD_THAT_NOBODY_SET is not set
