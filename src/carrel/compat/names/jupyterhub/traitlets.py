"""`jupyterhub.traitlets`: trait types that plug-ins declare their settings with."""

from carrel.spawners.traits import ByteSpecification, Callable, Command, URLPrefix

__all__ = ["ByteSpecification", "Callable", "Command", "URLPrefix"]
