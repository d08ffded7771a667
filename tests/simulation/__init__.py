"""The life of servers under failures that follow from a seed: `python -m tests.simulation --help`.

The hub's core, lifecycle and store are the real ones; clock, event loop, machine, data plane and people are not.
"""
