# An excerpt of what the Helm chart does, with its Kubernetes part.
import os

c.JupyterHub.spawner_class = 'kubespawner.KubeSpawner'
c.JupyterHub.hub_bind_url = 'http://:8081'
c.JupyterHub.hub_connect_url = 'http://hub:8081'
c.ConfigurableHTTPProxy.api_url = 'http://proxy-api:8001'
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.db_url = 'sqlite:///jupyterhub.sqlite'
c.KubeSpawner.namespace = os.environ.get('POD_NAMESPACE', 'default')
c.KubeSpawner.image = 'quay.io/jupyterhub/k8s-singleuser-sample:4.0.0'
c.KubeSpawner.common_labels = {'app': 'jupyterhub'}
c.KubeSpawner.extra_labels.update({'hub.jupyter.org/network-access-hub': 'true'})
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.volumes = [{'name': 'home', 'persistentVolumeClaim': {'claimName': 'claim-{username}'}}]
c.KubeSpawner.volume_mounts = [{'mountPath': '/home/jovyan', 'name': 'home'}]
c.KubeSpawner.profile_list = [
    {'display_name': 'Small', 'default': True, 'kubespawner_override': {'mem_limit': '1G'}},
    {'display_name': 'Large', 'kubespawner_override': {'mem_limit': '8G'}},
]
c.KubeSpawner.uid = 1000
c.KubeSpawner.fs_gid = 100
c.KubeSpawner.allow_privilege_escalation = False
c.JupyterHub.authenticator_class = 'dummy'
c.Authenticator.allow_all = True
#: needs = plug-ins
#: options = --JupyterHub.hub_connect_url=http://127.0.0.1:HUB_PORT --ConfigurableHTTPProxy.should_start=True
#: login = ada:x
#: check = unsafe JupyterHub.authenticator_class
#: check = unsafe JupyterHub.ip
