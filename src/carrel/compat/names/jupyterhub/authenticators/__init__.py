"""`jupyterhub.authenticators`: the built-in ones, each in a module of its own."""
