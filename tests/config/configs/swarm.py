c = get_config()
c.JupyterHub.spawner_class = 'dockerspawner.SwarmSpawner'
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = 'swarm'
c.SwarmSpawner.network_name = 'hub_default'
c.SwarmSpawner.extra_host_config = {'network_mode': 'hub_default'}
c.SwarmSpawner.extra_placement_spec = {'constraints': ['node.role == worker']}
c.SwarmSpawner.start_timeout = 60 * 15
c.SwarmSpawner.http_timeout = 60 * 2
c.SwarmSpawner.image = 'jupyter/minimal-notebook'
c.JupyterHub.hub_ip = '0.0.0.0'
c.JupyterHub.hub_connect_ip = 'hub'
#: needs = plug-ins
#: options = --JupyterHub.hub_connect_ip=127.0.0.1
#: login = ada:swarm
#: check = unsafe JupyterHub.authenticator_class
#: check = unsafe JupyterHub.ip
