"""`jupyterhub.orm`: a base for plug-ins' own tables, and users to look at."""

from carrel.compat.orm import Base, User

__all__ = ["Base", "User"]
