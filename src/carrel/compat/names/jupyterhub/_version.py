"""The release whose behaviour is promised."""

from . import __version__, version_info

__all__ = ["__version__", "version_info"]
