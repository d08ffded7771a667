c = get_config()
c.JupyterHub.authenticator_class = 'dummy'
c.Spawner.environment['COURSE'] = 'physics'
#: broken = jupyterhub_config.py:3: TypeError: 'LazyConfigValue' object does not support item assignment (a setting without a value takes .update({...}), .append(...) and the like)
