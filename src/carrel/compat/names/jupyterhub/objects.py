"""`jupyterhub.objects`: where the hub and a server are, as plug-ins name their classes in annotations."""

from carrel.compat.facades import HubFacade as Hub
from carrel.spawners.views import ServerView as Server

__all__ = ["Hub", "Server"]
