"""A container for each user, and those GitHub accounts on the list.

Needs `pip install dockerspawner oauthenticator`, and the variables of the GitHub example.
"""

import fcntl
import os
import socket
import struct

from dockerspawner import DockerSpawner

c = get_config()


def address_of(interface):
    """Return the IPv4 address of a network interface, as netifaces was used for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        asked = struct.pack("256s", interface.encode())
        return socket.inet_ntoa(fcntl.ioctl(probe.fileno(), 0x8915, asked)[20:24])  # SIOCGIFADDR


c.JupyterHub.authenticator_class = "oauthenticator.GitHubOAuthenticator"
c.Authenticator.whitelist = {"minrk", "takluyver"}
c.Authenticator.admin_users = {"minrk"}

c.JupyterHub.spawner_class = DockerSpawner
c.DockerSpawner.image = "quay.io/jupyter/minimal-notebook"
c.DockerSpawner.remove = True
# Containers cannot reach 127.0.0.1 of this machine: the hub listens where they find it.
c.JupyterHub.hub_ip = address_of(os.environ.get("HUB_INTERFACE", "docker0"))
