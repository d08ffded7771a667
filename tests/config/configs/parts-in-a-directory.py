# As The Littlest JupyterHub does it: the base here, the rest in a directory.
import os
from glob import glob

c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.template_vars.update({'base': True})

extra = sorted(glob(os.path.join(os.path.dirname(__file__), 'jupyterhub_config.d', '*.py')))
for part in extra:
    load_subconfig(part)
load_subconfig('not-there.py')
#: login = ada:from a part
#: files = jupyterhub_config.d/10-people.py jupyterhub_config.d/20-limits.py
#: warns = jupyterhub_config.py:13: load_subconfig: there is no file not-there.py: nothing is read
#: check = unsafe
#: check = unused load_subconfig
