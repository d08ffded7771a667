"""The life of servers under failures that follow from a seed: `python -m tests.simulation --help`.

The hub's core, lifecycle and store are the real ones; its clock, event loop, machine, data plane and users
are not.
"""
