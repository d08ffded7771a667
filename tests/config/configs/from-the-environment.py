import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from campus import PEOPLE, is_yes

c = get_config()
c.JupyterHub.authenticator_class = os.environ.get('AUTHENTICATOR', 'pam')
c.JupyterHub.spawner_class = os.environ.get('SPAWNER', 'localprocess')
c.JupyterHub.ip = os.getenv('HUB_IP', '0.0.0.0')
c.JupyterHub.base_url = os.environ.get('BASE_URL') or '/'
c.JupyterHub.log_level = 10 if is_yes(os.environ.get('DEBUG')) else 'INFO'
if os.environ.get('POSTGRES_DB'):
    c.JupyterHub.db_url = 'postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@{POSTGRES_HOST}/{POSTGRES_DB}'.format(
        **os.environ
    )
c.DummyAuthenticator.password = os.environ['HUB_PASSWORD']
c.Authenticator.allowed_users = PEOPLE
print('configured for', len(PEOPLE), 'people')
#: environ = AUTHENTICATOR=dummy SPAWNER=simple HUB_IP=127.0.0.1 HUB_PASSWORD=from-outside DEBUG=no
#: login = ada:from-outside
#: files = campus.py
