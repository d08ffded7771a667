"""What plug-ins know as `jupyterhub`: Carrel's classes by the names that they import.

`__version__` and `version_info` are those of the release whose behaviour is promised.
"""

from carrel import JUPYTERHUB_VERSION

__version__ = JUPYTERHUB_VERSION
version_info = (*(int(part) for part in __version__.split(".")), "", "")

__all__ = ["__version__", "version_info"]
