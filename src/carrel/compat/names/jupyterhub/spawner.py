"""`jupyterhub.spawner`: spawners' base classes and the built-in ones."""

from carrel.spawners.accounts import set_user_setuid
from carrel.spawners.base import Spawner
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.simple import SimpleLocalProcessSpawner

__all__ = ["LocalProcessSpawner", "SimpleLocalProcessSpawner", "Spawner", "set_user_setuid"]
