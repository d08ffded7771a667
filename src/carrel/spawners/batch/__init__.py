"""Servers as jobs of a batch system: one base, and a file for each kind of system."""
