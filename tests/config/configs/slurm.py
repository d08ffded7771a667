import batchspawner

c = get_config()
c.JupyterHub.spawner_class = 'batchspawner.SlurmSpawner'
c.Spawner.http_timeout = 120
c.BatchSpawnerBase.req_nprocs = '2'
c.BatchSpawnerBase.req_partition = 'short'
c.BatchSpawnerBase.req_host = 'cluster.example.org'
c.BatchSpawnerBase.req_runtime = '12:00:00'
c.SlurmSpawner.batch_script = '''#!/bin/bash
#SBATCH --partition={partition}
#SBATCH --time={runtime}
{cmd}
'''
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.hub_ip = '0.0.0.0'
c.JupyterHub.hub_connect_ip = '10.0.0.5'
#: needs = plug-ins apihandlers
#: options = --JupyterHub.hub_connect_ip=127.0.0.1
#: check = unsafe JupyterHub.authenticator_class
#: check = unsafe JupyterHub.ip
#: login = ada:x
