"""`jupyterhub.user`: users, as plug-ins name their class in annotations."""

from carrel.compat.facades import UserFacade as User

__all__ = ["User"]
