# The way the Helm chart's file is written, without Kubernetes.
import os

VALUES = {
    'hub.config': {
        'JupyterHub': {'admin_access': True, 'authenticator_class': 'dummy'},
        'DummyAuthenticator': {'password': 'helm'},
        'Authenticator': {'allow_all': True, 'enable_auth_state': True},
    },
    'hub.concurrentSpawnLimit': 64,
    'singleuser.startTimeout': 300,
    'cull.timeout': None,
}


def get_config_value(key, default=None):
    return VALUES.get(key, default)


def set_config_if_not_none(cparent, name, key):
    data = get_config_value(key)
    if data is not None:
        setattr(cparent, name, data)


c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.cleanup_servers = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.tornado_settings = {'slow_spawn_timeout': 0}
for trait, cfg_key in (('concurrent_spawn_limit', None), ('active_server_limit', None), ('base_url', None)):
    if cfg_key is None:
        cfg_key = ''.join(word.title() if n else word for n, word in enumerate(trait.split('_')))
    set_config_if_not_none(c.JupyterHub, trait, 'hub.' + cfg_key)
set_config_if_not_none(c.Spawner, 'start_timeout', 'singleuser.startTimeout')
for section, sub_cfg in get_config_value('hub.config').items():
    c[section].update(sub_cfg)
c.CryptKeeper.keys = os.environ['CRYPT_KEYS'].split(';')
#: environ = CRYPT_KEYS=4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a
#: login = ada:helm
