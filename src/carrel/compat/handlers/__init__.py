"""Base classes of plug-ins' Tornado handlers; all modules but `access` import Tornado."""
